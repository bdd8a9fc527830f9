// Calls that are cut short, come late or come at once: who has an address or a port now keeps it, and nothing leaks.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { delCleanly, everything, expectWorking, narrow, traces } from './cni/everything.ts';
import { TestNode, addressesOf } from './cni/node.ts';
import type { Answer } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];
const well = { exit: 0, stdout: '' };

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

async function soon(what: () => boolean): Promise<void> {
  await vi.waitUntil(what, { timeout: 30_000, interval: 5 });
}

describe('the executable is killed, as by a runtime at its deadline, while the agent stands before an effect', () => {
  /** Kills the executable of an ADD at each of its effects; `after` looks at what becomes of it. Returns the number of effects. */
  async function atEveryEffect(node: TestNode, after: (at: string) => Promise<void>): Promise<number> {
    for (let effect = 1; ; effect++) {
      node.addNamespace('pod');
      await node.doom('stop', effect);
      const executable = node.launch('ADD', node.variables('pod'), everything);
      const ended = once(executable, 'exit');
      await soon(() => node.agentStopped || executable.exitCode !== null);
      if (executable.exitCode !== null) return effect - 1;
      executable.kill('SIGKILL');
      await ended;
      node.resumeAgent();
      await after(`killed at effect ${effect}`);
      node.removeNamespace('pod');
    }
  }

  test('of ADD: the agent finishes it, and the DEL that follows leaves nothing', async () => {
    const node = await start();
    const effects = await atEveryEffect(node, async (at) => {
      // A link of each kind, the record, and of each family route, neighbour, port and hairpin elements.
      await vi.waitFor(
        () => {
          expect(traces(node), at).toHaveLength(11);
        },
        { timeout: 30_000, interval: 20 },
      );
      await delCleanly(node, 'pod', at);
    });
    expect(effects).toBe(10);
  }, 120_000);

  test('of ADD, and the DEL comes at once: it waits for the ADD and leaves nothing', async () => {
    const node = await start();
    const effects = await atEveryEffect(node, async (at) => {
      await delCleanly(node, 'pod', at);
    });
    expect(effects).toBe(10);
  }, 120_000);
});

describe('one address of each family and one port pass from pod to pod', () => {
  /** Asks until the address is free: what is just being released is not taken for ever. */
  async function addSoon(node: TestNode, pod: string): Promise<Answer> {
    return await vi.waitUntil(
      async () => {
        const answer = await node.add(pod, everything);
        if (answer.exit === 0) return answer;
        expect((JSON.parse(answer.stdout) as { code: number }).code).toBe(11);
        return undefined;
      },
      { timeout: 30_000, interval: 5 },
    );
  }

  test('a late DEL of the first, ten times at once, leaves the second all it has', async () => {
    const node = await start();
    for (const pod of ['one', 'two']) node.addNamespace(pod);
    const first = addressesOf(await node.add('one', everything));
    expect(await node.del('one')).toEqual(well);
    const second = await node.add('two', everything);
    expect(addressesOf(second)).toEqual(first);
    const before = traces(node);
    const answers = await Promise.all(Array.from({ length: 10 }, () => node.del('one')));
    expect(answers).toEqual(Array.from({ length: 10 }, () => well));
    expect(traces(node)).toEqual(before);
    await expectWorking(node, 'two', second);
    await delCleanly(node, 'two');
  });

  test('DELs of the first race the ADD of the second, again and again, and the second works', async () => {
    const node = await start();
    for (const pod of ['one', 'two']) node.addNamespace(pod);
    let [old, young] = ['one', 'two'];
    expect((await node.add(old, everything)).exit).toBe(0);
    for (let round = 0; round < 10; round++) {
      const [second, ...dels] = await Promise.all([
        addSoon(node, young),
        ...Array.from({ length: 10 }, () => node.del(old)),
      ]);
      expect(dels).toEqual(Array.from({ length: 10 }, () => well));
      await expectWorking(node, young, second, `round ${round}`);
      [old, young] = [young, old];
    }
    await delCleanly(node, old);
  }, 120_000);

  test('an ADD that is repeated, also ten times at once, is one pod: nothing of it is there twice, and all goes on', async () => {
    const node = await start();
    for (const pod of ['one', 'two']) node.addNamespace(pod);
    const first = await node.add('one', everything);
    expect(await node.add('one', everything)).toEqual(first);
    const answers = await Promise.all(Array.from({ length: 10 }, () => node.add('one', everything)));
    expect(answers).toEqual(Array.from({ length: 10 }, () => first));
    await expectWorking(node, 'one', first);
    await delCleanly(node, 'one');
    const second = await node.add('two', everything);
    expect(addressesOf(second)).toEqual(addressesOf(first));
    await expectWorking(node, 'two', second);
  });

  test('a DEL of what the agent released by itself, once the second has it all, changes nothing', async () => {
    const node = await start();
    node.addNamespace('one');
    const first = addressesOf(await node.add('one', everything));
    await node.stopAgent('SIGKILL');
    node.removeNamespace('one');
    await node.startAgent();
    node.addNamespace('two');
    const second = await node.add('two', everything);
    expect(addressesOf(second)).toEqual(first);
    expect(await node.del('one')).toEqual(well);
    await expectWorking(node, 'two', second);
    await delCleanly(node, 'two');
  });

  test('a DEL that was queued while no agent ran is late for a first that the start releases, too', async () => {
    const node = await start();
    node.addNamespace('one');
    expect((await node.add('one', everything)).exit).toBe(0);
    await node.stopAgent('SIGKILL');
    expect(await node.del('one')).toEqual(well);
    node.removeNamespace('one');
    node.addNamespace('two');
    // Waits for the agent, and takes its turn behind the queue.
    const waiting = node.add('two', everything);
    await node.startAgent();
    const second = await waiting;
    await expectWorking(node, 'two', second);
    await delCleanly(node, 'two');
  });
});

test('a DEL of an earlier container leaves the one alone that has its namespace’s path now', async () => {
  const node = await start();
  node.addNamespace('pod');
  const earlier = { ...node.variables('pod'), CNI_CONTAINERID: 'container-earlier' };
  expect((await node.cni('ADD', earlier, everything)).exit).toBe(0);
  // The same path with another namespace, as a pod's name gives where it is made of it.
  node.removeNamespace('pod');
  node.addNamespace('pod');
  const again = { ...node.variables('pod'), CNI_CONTAINERID: 'container-again' };
  expect(await node.cni('DEL', earlier)).toEqual(well);
  const answer = await node.cni('ADD', again, everything);
  expect(await node.cni('DEL', earlier)).toEqual(well);
  expect(await node.cni('DEL', { ...earlier, CNI_IFNAME: 'eth1' })).toEqual(well);
  await expectWorking(node, 'pod', answer);
  expect(await node.cni('DEL', again)).toEqual(well);
  expect(traces(node)).toEqual([]);
});
