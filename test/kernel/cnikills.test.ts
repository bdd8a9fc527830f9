// kill -9 of the agent before and after every effect of ADD and DEL of a pod with everything: nothing leaks, whatever comes next.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildExecutable } from '../../cni/executable/build.ts';
import { TestNode, addressesOf } from './cni/node.ts';
import type { Answer } from './cni/node.ts';

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

// One address of each family: with one leaked there is no second ADD.
const ranges = ['10.244.7.0/30', 'fd00:7::/126'];
const limit = { ingressRate: 80_000_000, ingressBurst: 2 ** 32 - 1, egressRate: 80_000_000, egressBurst: 2 ** 32 - 1 };
const everything = {
  runtimeConfig: {
    portMappings: [
      { hostPort: 8080, containerPort: 7700, protocol: 'tcp' },
      { hostPort: 8053, containerPort: 7700, protocol: 'udp' },
    ],
    bandwidth: limit,
  },
};

async function start(): Promise<TestNode> {
  const node = new TestNode(shim, ranges);
  nodes.push(node);
  await node.startAgent();
  return node;
}

function queueOf(node: TestNode): string {
  return join(node.config.runDir, 'queue');
}

/** Everything that an ADD makes on the node. */
function traces(node: TestNode): readonly string[] {
  const links = JSON.parse(node.ip('node', '-json', 'link', 'show')) as { readonly ifname: string }[];
  const elsewhere = (line: string): boolean => line.includes('10.244.7.') || line.includes('fd00:7::');
  const lines = (...args: readonly string[]): readonly string[] => node.ip('node', ...args).split('\n');
  const elements = [...node.nft('list', 'table', 'inet', 'berth').matchAll(/elements = \{([^}]*)\}/g)].map(
    ([, text = '']) => text,
  );
  const queue = queueOf(node);
  return [
    ...links.map(({ ifname }) => ifname).filter((name) => /^(veth|ifb)/.test(name)),
    ...['-4', '-6'].flatMap((family) => [
      ...lines(family, 'route', 'show', 'table', 'all').filter(elsewhere),
      ...lines(family, 'neigh', 'show', 'nud', 'permanent').filter(elsewhere),
    ]),
    ...elements.filter((text) => /8080|8053|10\.244\.7\.2|fd00:7::2/.test(text)),
    ...node.records(),
    ...(existsSync(queue) ? readdirSync(queue) : []),
  ];
}

/** What bash can ask in a few milliseconds. */
function askFast(node: TestNode, from: string, address: string, port: number): string {
  const script = `exec 3<>/dev/tcp/${address}/${port}; echo who >&3; read -t 10 -r answer <&3; echo "$answer"`;
  return execFileSync('ip', ['netns', 'exec', node.name(from), 'bash', '-c', script], { encoding: 'utf8' }).trim();
}

/** The pod works: by its ports from outside, and from the node by its address. */
async function expectWorking(node: TestNode, answer: Answer, at: string): Promise<void> {
  expect(answer.exit, `${at}: ${answer.stdout}`).toBe(0);
  const [four = '', six = ''] = addressesOf(answer);
  // Two links, of each family a route and a neighbour, its port elements and its hairpin, the record.
  expect(traces(node), at).toHaveLength(11);
  const server = await node.talk('pod', 'serve');
  expect(askFast(node, 'world', node.nodeAddress, 8080), at).toBe(node.worldAddress);
  expect(askFast(node, 'world', node.nodeAddress6, 8080), at).toBe(node.worldAddress6);
  expect(askFast(node, 'node', four, 7700), at).toBe(node.nodeAddress);
  expect(askFast(node, 'node', six, 7700), at).toBe(node.nodeAddress6);
  server.process.kill('SIGKILL');
}

async function delCleanly(node: TestNode, at: string): Promise<void> {
  expect(await node.del('pod'), at).toEqual({ exit: 0, stdout: '' });
  expect(traces(node), at).toEqual([]);
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
      await delCleanly(node, at);
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
      await expectWorking(node, await node.add('pod', everything), at);
      await delCleanly(node, at);
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
        await delCleanly(node, 'an ADD that nobody killed');
        node.removeNamespace('pod');
        return false;
      }
      await node.agentEnd();
      await aftermath(node, `ADD, killed ${when} effect ${effect}`);
      return true;
    });
    // Two writes of the record, the node, two parameters, the pod, elements of the table, flows of two families.
    expect(effects).toBe(9);
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
