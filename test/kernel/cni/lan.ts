// Nodes on a switch in real namespaces, one of them behind a router if asked for, a pod on each, and the part of the agent that routes.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, vi } from 'vitest';
import { parseNetwork } from '../../../cni/addresses.ts';
import { linkGroup } from '../../../cni/attachment.ts';
import { planTable } from '../../../cni/datapath.ts';
import type { NodeFacts } from '../../../cni/nodes/nodefacts.ts';
import { NodeRouter } from '../../../cni/nodes/noderouter.ts';
import type { WayMode } from '../../../cni/nodes/noderoutes.ts';
import { TableTurns } from '../../../cni/tableturns.ts';
import { createLogger } from '../../../kit/log.ts';
import { inNamespace, namespaces } from '../../../linux/netns.ts';
import { openNftables } from '../../../linux/nftables/libnftables.ts';
import { rtnetlink } from '../../../linux/rtnetlink/socket.ts';

export const undo: (() => void)[] = [];

/** Stops the agents and takes everything away. */
export async function takeDown(): Promise<void> {
  for (const router of routers.splice(0)) await router.stop();
  for (const step of undo.splice(0).reverse()) step();
}

let count = 0;
let prefix = '';
export const routers: NodeRouter[] = [];
let said = '';

/** What the agents have logged. */
export function log(): string {
  return said;
}

export function name(namespace: string): string {
  return `${prefix}-${namespace}`;
}

export function ip(namespace: string, line: string): string {
  return execFileSync('ip', ['-n', name(namespace), ...line.split(' ')], { encoding: 'utf8' });
}

export function run(namespace: string, ...command: readonly string[]): string {
  return execFileSync('ip', ['netns', 'exec', name(namespace), ...command], { encoding: 'utf8' });
}

export function addNamespace(namespace: string): void {
  execFileSync('ip', ['netns', 'add', name(namespace)]);
  undo.push(() => execFileSync('ip', ['netns', 'del', name(namespace)]));
  ip(namespace, 'link set lo up');
}

/** A node with address 192.0.2.`n`, pods in 10.244.`n`.0/24 and fd00:`n`::/64, and one pod there. */
export function addNode(n: number): void {
  const node = `node${n}`;
  addNamespace(node);
  ip('switch', `link add port${n} type veth peer eth0 netns ${name(node)}`);
  ip('switch', `link set port${n} master bridge up`);
  ip(node, `address add 192.0.2.${n}/24 dev eth0`);
  ip(node, `address add 2001:db8::${n}/64 dev eth0 nodad`);
  ip(node, 'link set eth0 up');
  addPod(n);
}

/** A node with address 198.51.100.`n`, behind a router: the switch, which is the default gateway of all nodes then. */
export function addFarNode(n: number): void {
  const node = `node${n}`;
  addNamespace(node);
  ip('switch', `link add port${n} type veth peer eth0 netns ${name(node)}`);
  ip('switch', `link set port${n} up`);
  ip('switch', `address add 198.51.100.254/24 dev port${n}`);
  ip('switch', `address add 2001:db8:1::254/64 dev port${n} nodad`);
  ip('switch', 'address add 192.0.2.254/24 dev bridge');
  ip('switch', 'address add 2001:db8::254/64 dev bridge nodad');
  run('switch', 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  ip(node, `address add 198.51.100.${n}/24 dev eth0`);
  ip(node, `address add 2001:db8:1::${n}/64 dev eth0 nodad`);
  ip(node, 'link set eth0 up');
  ip(node, 'route add default via 198.51.100.254');
  ip(node, '-6 route add default via 2001:db8:1::254');
  for (const near of ['node1', 'node2']) {
    ip(near, 'route add default via 192.0.2.254');
    ip(near, '-6 route add default via 2001:db8::254');
  }
  addPod(n);
}

function addPod(n: number): void {
  const node = `node${n}`;
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

/** A switch with the nodes 1 and 2. */
export function setUp(): void {
  prefix = `bnodes${process.pid}-${++count}`;
  said = '';
  serving.clear();
  addNamespace('switch');
  ip('switch', 'link add bridge type bridge');
  ip('switch', 'link set bridge up');
  for (const n of [1, 2]) addNode(n);
}

export function facts(n: number, address = n): [string, NodeFacts] {
  return [
    `node${n}`,
    { podCIDRs: [`10.244.${n}.0/24`, `fd00:${n}::/64`], addresses: [`192.0.2.${address}`, `2001:db8::${address}`] },
  ];
}

/** What the API says of a far node. */
export function farFacts(n: number): [string, NodeFacts] {
  return [
    `node${n}`,
    { podCIDRs: [`10.244.${n}.0/24`, `fd00:${n}::/64`], addresses: [`198.51.100.${n}`, `2001:db8:1::${n}`] },
  ];
}

export interface Agent {
  readonly router: NodeRouter;
  readonly tell: (...nodes: readonly [string, NodeFacts][]) => void;
}

/** The part of an agent that routes, on a node, as at a start. */
export async function startAgent(n: number, mode: WayMode = 'auto'): Promise<Agent> {
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
    turns: new TableTurns(),
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
    mode,
    tunnel: { id: 4_242, port: 4_790 },
    own: own.flatMap((text) => parseNetwork(text) ?? []),
    restoreTable: makeTable,
    log: createLogger('info', { write: (line: string) => (said += line) }),
  });
  await router.load();
  await makeTable();
  nftables.close();
  router.start();
  routers.push(router);
  return { router, tell: (...nodes) => changed?.(new Map(nodes)) };
}

export function routes(n: number): readonly string[] {
  return [
    ...ip(`node${n}`, 'route show proto 98').split('\n'),
    ...ip(`node${n}`, '-6 route show proto 98').split('\n'),
  ].flatMap((line) => /^(\S+ via \S+)/.exec(line)?.[1] ?? []);
}

export async function expectRoutes(n: number, ...expected: readonly string[]): Promise<void> {
  await vi.waitFor(() => {
    expect(routes(n)).toEqual(expected);
  }, 5_000);
}

export const toTwo = ['10.244.2.0/24 via 192.0.2.2', 'fd00:2::/64 via 2001:db8::2'];
const peer = join(import.meta.dirname, 'peer.ts');

const serving = new Set<string>();

/** Starts a peer in a namespace; it ends with the test. */
export function startPeer(namespace: string, ...args: readonly string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', name(namespace), process.execPath, peer, ...args]);
  undo.push(() => child.kill('SIGKILL'));
  return child;
}

/** The next line of what a peer prints. */
export async function lineOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('it ended without a line');
}

/** Asks from a namespace a listener in another for the address it sees. */
export async function seenBy(address: string, from = 'pod1', at = 'pod2'): Promise<string> {
  if (!serving.has(at)) await lineOf(startPeer(at, 'serve'));
  serving.add(at);
  return await lineOf(startPeer(from, 'ask', address));
}
