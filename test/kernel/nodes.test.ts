// Routes between nodes in real namespaces: three nodes on one link, a pod on each of two, and packets between them.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseNetwork } from '../../cni/addresses.ts';
import { linkGroup } from '../../cni/attachment.ts';
import { planTable } from '../../cni/datapath.ts';
import type { NodeFacts } from '../../cni/nodes/nodefacts.ts';
import { NodeRouter } from '../../cni/nodes/noderouter.ts';
import { createLogger } from '../../kit/log.ts';
import { inNamespace, namespaces } from '../../linux/netns.ts';
import { openNftables } from '../../linux/nftables/libnftables.ts';
import { rtnetlink } from '../../linux/rtnetlink/socket.ts';

const undo: (() => void)[] = [];
afterEach(async () => {
  for (const router of routers.splice(0)) await router.stop();
  for (const step of undo.splice(0).reverse()) step();
});

let count = 0;
let prefix = '';
const routers: NodeRouter[] = [];
let log = '';

function name(namespace: string): string {
  return `${prefix}-${namespace}`;
}

function ip(namespace: string, line: string): string {
  return execFileSync('ip', ['-n', name(namespace), ...line.split(' ')], { encoding: 'utf8' });
}

function run(namespace: string, ...command: readonly string[]): string {
  return execFileSync('ip', ['netns', 'exec', name(namespace), ...command], { encoding: 'utf8' });
}

function addNamespace(namespace: string): void {
  execFileSync('ip', ['netns', 'add', name(namespace)]);
  undo.push(() => execFileSync('ip', ['netns', 'del', name(namespace)]));
  ip(namespace, 'link set lo up');
}

/** A node with address 192.0.2.`n`, pods in 10.244.`n`.0/24 and fd00:`n`::/64, and one pod there. */
function addNode(n: number): void {
  const node = `node${n}`;
  addNamespace(node);
  ip('switch', `link add port${n} type veth peer eth0 netns ${name(node)}`);
  ip('switch', `link set port${n} master bridge up`);
  ip(node, `address add 192.0.2.${n}/24 dev eth0`);
  ip(node, `address add 2001:db8::${n}/64 dev eth0 nodad`);
  ip(node, 'link set eth0 up');
  run(node, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  const pod = `pod${n}`;
  addNamespace(pod);
  ip(node, `link add vethpod type veth peer eth0 netns ${name(pod)}`);
  ip(node, `link set vethpod up group ${linkGroup}`);
  ip(node, 'address add 169.254.1.1/32 dev vethpod');
  ip(node, 'address add fe80::1/64 dev vethpod nodad');
  ip(node, `route add 10.244.${n}.2/32 dev vethpod`);
  ip(node, `route add fd00:${n}::2/128 dev vethpod`);
  ip(pod, `address add 10.244.${n}.2/32 dev eth0`);
  ip(pod, `address add fd00:${n}::2/128 dev eth0 nodad`);
  ip(pod, 'link set eth0 up');
  ip(pod, 'route add 169.254.1.1/32 dev eth0');
  ip(pod, 'route add default via 169.254.1.1 dev eth0');
  ip(pod, 'route add default via fe80::1 dev eth0');
}

beforeEach(() => {
  prefix = `bnodes${process.pid}-${++count}`;
  log = '';
  addNamespace('switch');
  ip('switch', 'link add bridge type bridge');
  ip('switch', 'link set bridge up');
  for (const n of [1, 2]) addNode(n);
});

function facts(n: number, address = n): [string, NodeFacts] {
  return [
    `node${n}`,
    { podCIDRs: [`10.244.${n}.0/24`, `fd00:${n}::/64`], addresses: [`192.0.2.${address}`, `2001:db8::${address}`] },
  ];
}

interface Agent {
  readonly router: NodeRouter;
  readonly tell: (...nodes: readonly [string, NodeFacts][]) => void;
}

/** The part of an agent that routes, on a node, as at a start. */
async function startAgent(n: number): Promise<Agent> {
  const namespace = namespaces.open(`/run/netns/${name(`node${n}`)}`);
  undo.push(() => {
    namespace.close();
  });
  const nftables = inNamespace(namespace, openNftables);
  const own = [`10.244.${n}.0/24`, `fd00:${n}::/64`];
  let changed: ((nodes: ReadonlyMap<string, NodeFacts>) => void) | undefined;
  const makeTable = async (): Promise<void> => {
    const input = { pods: own, masquerade: true, direct: [], uplinks6: [], nodes: router.ranges };
    await nftables.run([{ op: 'replace-table', table: planTable(input) }]);
  };
  const router: NodeRouter = new NodeRouter({
    kernel: {
      rtnetlink: { open: () => rtnetlink.open(namespace) },
      openNftables: () => inNamespace(namespace, openNftables),
    },
    source: {
      name: `node${n}`,
      follow: (callback) => {
        changed = callback;
        return Promise.resolve();
      },
    },
    own: own.flatMap((text) => parseNetwork(text) ?? []),
    restoreTable: makeTable,
    log: createLogger('info', { write: (line: string) => (log += line) }),
  });
  await router.load();
  await makeTable();
  nftables.close();
  router.start();
  routers.push(router);
  return { router, tell: (...nodes) => changed?.(new Map(nodes)) };
}

function routes(n: number): readonly string[] {
  return [
    ...ip(`node${n}`, 'route show proto 98').split('\n'),
    ...ip(`node${n}`, '-6 route show proto 98').split('\n'),
  ].flatMap((line) => /^(\S+ via \S+)/.exec(line)?.[1] ?? []);
}

async function expectRoutes(n: number, ...expected: readonly string[]): Promise<void> {
  await vi.waitFor(() => {
    expect(routes(n)).toEqual(expected);
  }, 1_000);
}

const toTwo = ['10.244.2.0/24 via 192.0.2.2', 'fd00:2::/64 via 2001:db8::2'];
const peer = join(import.meta.dirname, 'cni/peer.ts');

async function lineOf(child: ChildProcess): Promise<string> {
  undo.push(() => child.kill('SIGKILL'));
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('it ended without a line');
}

/** Asks from a pod of node 1 a listener in the pod of node 2 for the address it sees. */
async function seenBy(address: string): Promise<string> {
  const start = (pod: string, ...args: readonly string[]): ChildProcess =>
    spawn('ip', ['netns', 'exec', name(pod), process.execPath, peer, ...args]);
  await lineOf(start('pod2', 'serve'));
  return await lineOf(start('pod1', 'ask', address));
}

test.each([
  ['IPv4', '10.244.2.2', '10.244.1.2'],
  ['IPv6', 'fd00:2::2', 'fd00:1::2'],
])('a pod reaches one of another node by its address and with its own, by %s', async (_family, to, from) => {
  for (const n of [1, 2]) (await startAgent(n)).tell(facts(1), facts(2));
  await expectRoutes(1, ...toTwo);
  await expectRoutes(2, '10.244.1.0/24 via 192.0.2.1', 'fd00:1::/64 via 2001:db8::1');
  expect(await seenBy(to)).toBe(from);
});

test('nodes that come, change their address and go are followed within a second', async () => {
  const { router, tell } = await startAgent(1);
  tell(facts(1));
  await expectRoutes(1);
  tell(facts(1), facts(2));
  await expectRoutes(1, ...toTwo);
  tell(facts(1), facts(2, 9), facts(3));
  await expectRoutes(
    1,
    '10.244.2.0/24 via 192.0.2.9',
    '10.244.3.0/24 via 192.0.2.3',
    'fd00:2::/64 via 2001:db8::9',
    'fd00:3::/64 via 2001:db8::3',
  );
  expect(router.ranges).toEqual(['10.244.2.0/24', 'fd00:2::/64', '10.244.3.0/24', 'fd00:3::/64']);
  tell(facts(1));
  await expectRoutes(1);
});

test('a restart touches no route, also when the API server does not answer', async () => {
  const before = await startAgent(1);
  before.tell(facts(1), facts(2));
  await expectRoutes(1, ...toTwo);
  const monitor = spawn('ip', ['-n', name('node1'), 'monitor', 'route']);
  let events = '';
  monitor.stdout.on('data', (chunk: Buffer) => (events += chunk.toString()));
  undo.push(() => monitor.kill());
  await routers.pop()?.stop();
  const after = await startAgent(1);
  // Nobody tells anything: what the kernel has is what counts, with the pods' own addresses.
  expect([routes(1), after.router.ranges]).toEqual([toTwo, ['10.244.2.0/24', 'fd00:2::/64']]);
  expect(run('node1', 'nft', 'list', 'set', 'inet', 'berth', 'nodes')).toContain('10.244.2.0/24');
  after.tell(facts(1), facts(2));
  await vi.waitFor(() => {
    expect(after.router.counts()).toEqual({ routed: 2, unreachable: 0, refused: 0 });
  });
  // The monitor works: this one it sees.
  ip('node1', 'route add 203.0.113.0/24 via 192.0.2.7');
  await vi.waitFor(() => {
    expect(events).toContain('203.0.113.0/24');
  });
  expect(events).not.toMatch(/10\.244|fd00/);
});

test("routes of others are left alone, and a node whose range is somebody else's route is named", async () => {
  ip('node1', 'route add 10.244.2.0/24 via 192.0.2.7');
  ip('node1', 'route add 198.51.100.0/24 via 192.0.2.7 proto bird');
  const { tell } = await startAgent(1);
  tell(facts(1), facts(2), facts(3));
  await expectRoutes(1, '10.244.3.0/24 via 192.0.2.3', 'fd00:2::/64 via 2001:db8::2', 'fd00:3::/64 via 2001:db8::3');
  tell(facts(1));
  await expectRoutes(1);
  const left = ip('node1', 'route show');
  expect(left).toContain('10.244.2.0/24 via 192.0.2.7');
  expect(left).toContain('198.51.100.0/24 via 192.0.2.7');
  expect(log).toContain("there is a route to its pods (10.244.2.0/24) that is not Berth's");
});

test('one node with nonsense keeps no other from its routes', async () => {
  const { router, tell } = await startAgent(1);
  tell(
    ['bad', { podCIDRs: ['0.0.0.0/0', '192.0.2.0/24', '10.244.1.0/24', 'x'], addresses: ['192.0.2.66'] }],
    ['far', { podCIDRs: ['10.244.8.0/24'], addresses: ['203.0.113.8'] }],
    facts(2),
  );
  await expectRoutes(1, ...toTwo);
  await vi.waitFor(() => {
    expect(router.counts()).toEqual({ routed: 2, unreachable: 1, refused: 4 });
  });
  expect(log).toContain('node bad: pod range 0.0.0.0/0 is wider than /8; pod range 192.0.2.0/24 holds addresses');
  expect(log).toContain('its address 203.0.113.8 is not on a link of this node');
});

test('a thousand nodes are routed within a second, and one more without touching the others', async () => {
  const many = Array.from({ length: 1_000 }, (_, at): [string, NodeFacts] => [
    `n${at}`,
    { podCIDRs: [`10.${100 + (at >> 8)}.${at & 255}.0/24`], addresses: ['192.0.2.2'] },
  ]);
  const { router, tell } = await startAgent(1);
  tell(...many);
  await vi.waitFor(() => {
    expect(router.counts()?.routed).toBe(1_000);
  }, 3_000);
  expect(routes(1)).toHaveLength(1_000);
  tell(...many, facts(2));
  await vi.waitFor(() => {
    expect(router.counts()?.routed).toBe(1_002);
  }, 1_000);
});
