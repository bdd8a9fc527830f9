// kill -9 of the agent before and after every effect of ADD and DEL of a pod with everything: nothing leaks, whatever comes next.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { TestNode } from './cni/node.ts';
import { delCleanly, everything, expectWorking, narrow, queueOf, traces } from './cni/everything.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];

beforeAll(async () => {
  await buildExecutable(shim);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const node of nodes.splice(0)) node.dispose();
});

async function start(): Promise<TestNode> {
  const node = new TestNode(shim, narrow);
  nodes.push(node);
  await node.startAgent();
  return node;
}

/**
 * Runs `attempt` with the end before each effect until the operation outlives it, and once more with that after the last: what
 * an agent leaves that is killed after an effect is what one leaves that is killed before the next. Returns the number of effects.
 */
async function atEveryEffect(attempt: (when: 'before' | 'after', effect: number) => Promise<boolean>): Promise<number> {
  let effects = 0;
  while (await attempt('before', effects + 1)) effects++;
  await attempt('after', effects);
  return effects;
}

type Aftermath = (node: TestNode, at: string) => Promise<void>;
const aftermaths: readonly (readonly [string, Aftermath])[] = [
  [
    'and a DEL follows: nothing is left',
    async (node, at) => {
      await node.startAgent();
      await delCleanly(node, 'pod', at);
      node.removeNamespace('pod');
    },
  ],
  [
    'and nothing follows, as the pod’s namespace is gone: nothing is left',
    async (node, at) => {
      node.removeNamespace('pod');
      // The executable was killed before it could queue anything.
      rmSync(queueOf(node), { recursive: true, force: true });
      await node.startAgent();
      expect(traces(node), at).toEqual([]);
    },
  ],
  [
    'and the ADD is repeated: the pod works, and its DEL leaves nothing',
    async (node, at) => {
      await node.startAgent();
      await expectWorking(node, 'pod', await node.add('pod', everything), at);
      await delCleanly(node, 'pod', at);
      node.removeNamespace('pod');
    },
  ],
];

describe.each(aftermaths)('the agent is killed %s', (_what, aftermath) => {
  test('at each effect of ADD', async () => {
    const node = await start();
    const effects = await atEveryEffect(async (when, effect) => {
      node.addNamespace('pod');
      await node.doom(when, effect);
      const answer = await node.add('pod', everything);
      if (answer.exit === 0) {
        await node.doom('before', 0);
        await delCleanly(node, 'pod', 'an ADD that nobody killed');
        node.removeNamespace('pod');
        return false;
      }
      await node.agentEnd();
      await aftermath(node, `ADD, killed ${when} effect ${effect}`);
      return true;
    });
    // Two writes of the record, the node, three parameters, the pod, elements of the table, flows of two families.
    expect(effects).toBe(10);
  }, 180_000);

  test('at each effect of DEL', async () => {
    const node = await start();
    const effects = await atEveryEffect(async (when, effect) => {
      node.addNamespace('pod');
      const answer = await node.add('pod', everything);
      expect(answer.exit, answer.stdout).toBe(0);
      await node.doom(when, effect);
      // Queued when the connection broke, or answered before the link was to go.
      expect(await node.del('pod')).toEqual({ exit: 0, stdout: '' });
      // After the last effect the record is gone: whether the agent is about to die cannot be seen.
      if (when === 'before' && node.agentLives) {
        await node.doom('before', 0);
        expect(traces(node)).toEqual([]);
        node.removeNamespace('pod');
        return false;
      }
      await node.agentEnd();
      await aftermath(node, `DEL, killed ${when} effect ${effect}`);
      return true;
    });
    // Two writes of the record, routes, elements of the table, flows of two families, two links and the removal of the record.
    expect(effects).toBeGreaterThanOrEqual(7);
  }, 180_000);
});
