// Rate limits of pods: packets in both directions, what the kernel has, and that nothing of it stays behind.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { TestNode, addressOf } from './cni/node.ts';

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

async function start(crashAt = ''): Promise<TestNode> {
  const node = new TestNode(shim);
  nodes.push(node);
  await node.startAgent(crashAt);
  return node;
}

const megabit = 1_000_000;
const anyBurst = 2 ** 32 - 1;
const both = {
  ingressRate: 8 * megabit,
  ingressBurst: anyBurst,
  egressRate: 16 * megabit,
  egressBurst: anyBurst,
};
const limited = (bandwidth: Record<string, number>): Record<string, unknown> => ({ runtimeConfig: { bandwidth } });

interface Qdisc {
  readonly kind: string;
  readonly dev: string;
  readonly options: { readonly rate?: number; readonly burst?: number };
}

function qdiscs(node: TestNode): readonly Qdisc[] {
  const text = execFileSync('tc', ['-n', node.name('node'), '-json', 'qdisc', 'show'], { encoding: 'utf8' });
  return (JSON.parse(text) as readonly Qdisc[]).filter(({ dev }) => /^(veth|ifb)/.test(dev));
}

/** Bytes per second and bytes of burst of each direction. */
function buckets(node: TestNode): Readonly<Record<string, { readonly rate: number; readonly burst: number }>> {
  return Object.fromEntries(
    qdiscs(node)
      .filter(({ kind }) => kind === 'tbf')
      .map(({ dev, options: { rate = 0, burst = 0 } }) => [
        dev.startsWith('ifb') ? 'egress' : 'ingress',
        { rate, burst },
      ]),
  );
}

function queueLinks(node: TestNode): readonly string[] {
  const links = JSON.parse(node.ip('node', '-json', 'link', 'show', 'type', 'ifb')) as { readonly ifname?: string }[];
  return links.flatMap(({ ifname }) => ifname ?? []);
}

test('only the limited pod is slow, in both directions', async () => {
  const node = await start();
  node.addNamespace('slow');
  const slow = addressOf(await node.add('slow', limited(both)));
  const free = await node.addPod('free');
  for (const where of ['slow', 'free', 'node']) await node.talk(where, 'sink');
  const bytes = 2_000_000;
  const into = await node.push('node', slow, bytes);
  const outOf = await node.push('slow', node.nodeAddress, bytes);
  const freeInto = await node.push('node', free, bytes);
  const freeOutOf = await node.push('free', node.nodeAddress, bytes);
  // 2 MB at 1 MB/s and at 2 MB/s, less what the burst and the queue let through at once.
  expect(into).toBeGreaterThan(1_600);
  expect(outOf).toBeGreaterThan(750);
  expect(freeInto).toBeLessThan(into);
  expect(freeOutOf).toBeLessThan(outOf);
  expect((await node.cni('CHECK', node.variables('slow'), await checkable(node, 'slow'))).exit).toBe(0);
});

/** A repeated ADD gives the result that CHECK wants to see. */
async function checkable(node: TestNode, pod: string): Promise<Record<string, unknown>> {
  const prevResult = JSON.parse((await node.add(pod, limited(both))).stdout) as unknown;
  return { prevResult };
}

test.each([
  ['to the pod', { ingressRate: 8 * megabit, ingressBurst: 800_000 }, { ingress: { rate: megabit, burst: 100_000 } }],
  ['from the pod', { egressRate: 8 * megabit, egressBurst: 800_000 }, { egress: { rate: megabit, burst: 100_000 } }],
  [
    'in containerd’s spelling and without a burst of its own',
    { IngressRate: 8 * megabit, IngressBurst: anyBurst, EgressRate: 80 * megabit, EgressBurst: anyBurst },
    { ingress: { rate: megabit, burst: 50_000 }, egress: { rate: 10 * megabit, burst: 500_000 } },
  ],
  [
    'in CRI-O’s spelling and with its burst of 4 GiB',
    {
      ingressRate: 8 * megabit,
      ingressBurst: anyBurst * 8 - 1,
      egressRate: 80 * megabit,
      egressBurst: anyBurst * 8 - 1,
    },
    { ingress: { rate: megabit, burst: 50_000 }, egress: { rate: 10 * megabit, burst: 500_000 } },
  ],
  [
    'above 32 bits of bytes per second',
    { egressRate: 80_000 * megabit, egressBurst: anyBurst },
    { egress: { rate: 10_000 * megabit, burst: 500_000_000 } },
  ],
])('a limit %s is what was asked, and DEL leaves nothing of it', async (_how, bandwidth, expected) => {
  const node = await start();
  node.addNamespace('pod');
  addressOf(await node.add('pod', limited(bandwidth)));
  const seen = buckets(node);
  expect(Object.keys(seen).sort()).toEqual(Object.keys(expected).sort());
  for (const [direction, { rate, burst }] of Object.entries(expected)) {
    expect(seen[direction]?.rate).toBe(rate);
    // The kernel keeps it as time, in ticks of 64 ns.
    expect(Math.abs((seen[direction]?.burst ?? 0) / burst - 1)).toBeLessThan(0.05);
  }
  expect((await node.del('pod')).exit).toBe(0);
  expect(queueLinks(node)).toEqual([]);
  expect(qdiscs(node)).toEqual([]);
});

test('a rate without a burst is refused with code 7, and a repeated ADD takes the new rates', async () => {
  const node = await start();
  node.addNamespace('pod');
  const refused = await node.add('pod', limited({ ingressRate: megabit }));
  expect((JSON.parse(refused.stdout) as { code: number }).code).toBe(7);
  const first = await node.add('pod', limited(both));
  expect(await node.add('pod', limited({ egressRate: 8 * megabit, egressBurst: anyBurst }))).toEqual(first);
  expect(Object.keys(buckets(node))).toEqual(['egress']);
  expect(await node.add('pod')).toEqual(first);
  expect([queueLinks(node), qdiscs(node).filter(({ kind }) => kind === 'tbf')]).toEqual([[], []]);
});

test('CHECK tells that somebody took a limit away, and the next start of the agent brings it back', async () => {
  const node = await start();
  node.addNamespace('pod');
  const prevResult = JSON.parse((await node.add('pod', limited(both))).stdout) as unknown;
  node.ip('node', 'link', 'delete', queueLinks(node)[0] ?? '');
  const answer = await node.cni('CHECK', node.variables('pod'), { prevResult });
  expect(answer.stdout).toContain('what it sends is not limited as asked');
  await node.stopAgent();
  await node.startAgent();
  expect((await node.cni('CHECK', node.variables('pod'), { prevResult })).exit).toBe(0);
  await node.talk('node', 'sink');
  expect(await node.push('pod', node.nodeAddress, 2_000_000)).toBeGreaterThan(750);
  // And once more, now that nothing is missing: nothing changes.
  const before = buckets(node);
  await node.stopAgent();
  await node.startAgent();
  expect(buckets(node)).toEqual(before);
});

test.each(['create:before', 'create:after', 'sandbox:before', 'sandbox:after'])(
  'an agent killed at %s of a limited pod’s ADD leaves nothing behind',
  async (point) => {
    const node = await start(point);
    node.addNamespace('pod');
    expect((JSON.parse((await node.add('pod', limited(both))).stdout) as { code: number }).code).toBe(11);
    await node.agentEnd();
    await node.startAgent();
    expect([queueLinks(node), node.podLinks(), node.records()]).toEqual([[], [], []]);
  },
);

test('a queue of ours that no attachment owns is removed at the start, another’s is not', async () => {
  const node = await start();
  await node.stopAgent();
  node.ip('node', 'link', 'add', 'ifb0123456789a', 'group', String(0x6265), 'type', 'ifb');
  node.ip('node', 'link', 'add', 'ifb7', 'type', 'ifb');
  await node.startAgent();
  expect(queueLinks(node)).toEqual(['ifb7']);
});
