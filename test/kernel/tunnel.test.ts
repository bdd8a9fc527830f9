// The tunnel to a node behind a router, in real namespaces: packets of both families, their size, and what becomes of them
// when nodes change, the agent restarts or somebody takes the device away.
import { execFileSync, spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { tunnelName } from '../../cni/nodes/tunnel.ts';
import type { Agent } from './cni/lan.ts';
import {
  addFarNode,
  expectRoutes,
  facts,
  farFacts,
  ip,
  lineOf,
  log,
  name,
  routers,
  routes,
  run,
  seenBy,
  setUp,
  startAgent,
  startPeer,
  takeDown,
  toTwo,
  undo,
} from './cni/lan.ts';

beforeEach(() => {
  setUp();
  addFarNode(3);
});
afterEach(takeDown);

const all = [facts(1), facts(2), farFacts(3)];

async function connectAll(): Promise<Agent> {
  const first = await startAgent(1);
  const agents = [first, await startAgent(2), await startAgent(3)];
  for (const { tell } of agents) tell(...all);
  for (const { router } of agents)
    await vi.waitFor(() => {
      expect((router.counts()?.routed ?? 0) + (router.counts()?.tunnelled ?? 0)).toBe(4);
    }, 10_000);
  return first;
}

function device(n: number): string {
  try {
    return execFileSync('ip', ['-n', name(`node${n}`), '-d', '-o', 'link', 'show', tunnelName], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}

test('near nodes are reached by routes and the far one through the tunnel, with the pods’ own addresses', async () => {
  const { router } = await connectAll();
  expect(router.counts()).toEqual({ routed: 2, tunnelled: 2, unreachable: 0, refused: 0 });
  expect(routes(1).slice(0, 2)).toEqual(['10.244.2.0/24 via 192.0.2.2', '10.244.3.0/24 via 198.51.100.3']);
  expect(device(1)).toMatch(/mtu 1450 .*vxlan id 4242 local 192\.0\.2\.1 .*dstport 4790 nolearning/);
  expect(device(2)).not.toBe('');
  expect(await seenBy('10.244.2.2')).toBe('10.244.1.2');
  expect(await seenBy('10.244.3.2', 'pod1', 'pod3')).toBe('10.244.1.2');
  expect(await seenBy('fd00:1::2', 'pod3', 'pod1')).toBe('fd00:3::2');
  // The node itself speaks to far pods with an address that leads back through the tunnel.
  expect(await seenBy('10.244.3.2', 'node1', 'pod3')).toBe('10.244.1.1');
  expect(await seenBy('fd00:2::2', 'node3', 'pod2')).toBe('fd00:3::1');
});

test('what is too large for the tunnel is answered with the size that fits, so that much data arrives', async () => {
  await connectAll();
  await lineOf(startPeer('pod3', 'sink'));
  expect(Number(await lineOf(startPeer('pod1', 'push', '10.244.3.2', '7700', '20000000')))).toBeGreaterThan(0);
  expect(ip('pod1', 'route get 10.244.3.2')).toContain('mtu 1450');
  // A pod that begins now need not learn it.
  expect(routers[0]?.podMtu({ mtu: 1_500, address: '192.0.2.1' })).toBe(1_450);
});

test('a node that moves between links is followed, and without a far node there is no tunnel', async () => {
  const { tell } = await connectAll();
  tell(facts(1), facts(2), facts(3));
  await expectRoutes(
    1,
    ...toTwo.slice(0, 1),
    '10.244.3.0/24 via 192.0.2.3',
    ...toTwo.slice(1),
    'fd00:3::/64 via 2001:db8::3',
  );
  await vi.waitFor(() => {
    expect(device(1)).toBe('');
  }, 5_000);
  tell(...all);
  await vi.waitFor(() => {
    expect(routes(1)).toContain('10.244.3.0/24 via 198.51.100.3');
  }, 5_000);
  expect(await seenBy('10.244.3.2', 'pod1', 'pod3')).toBe('10.244.1.2');
});

test('a restart of the agent changes nothing, not one packet is lost', async () => {
  await connectAll();
  const state = (): readonly unknown[] => [
    device(1),
    routes(1),
    ip('node1', `neighbour show dev ${tunnelName} nud permanent`),
    run('node1', 'bridge', 'fdb', 'show', 'dev', tunnelName),
  ];
  const before = state();
  const monitor = spawn('ip', ['-n', name('node1'), 'monitor', 'link', 'route', 'neigh', 'address']);
  let events = '';
  monitor.stdout.on('data', (chunk: Buffer) => (events += chunk.toString()));
  undo.push(() => monitor.kill());
  await lineOf(startPeer('pod3', 'serve-udp', 'three'));
  const counter = startPeer('pod1', 'count-udp', '10.244.3.2');
  await lineOf(counter);
  await routers.shift()?.stop();
  const agent = await startAgent(1);
  agent.tell(...all);
  await vi.waitFor(() => {
    expect(agent.router.counts()?.tunnelled).toBe(2);
  }, 10_000);
  counter.stdin?.end();
  expect(await lineOf(counter)).toMatch(/^(\d+) sent, \1 answered$/);
  expect(state()).toEqual(before);
  expect(events).not.toMatch(/berth-vxlan|proto 98/);
});

test('a device that somebody deletes or changes is made anew at the next look', async () => {
  const { tell } = await connectAll();
  ip('node1', `link delete ${tunnelName}`);
  tell(...all, facts(4));
  await vi.waitFor(() => {
    expect(routes(1)).toContain('10.244.3.0/24 via 198.51.100.3');
  }, 5_000);
  expect(await seenBy('10.244.3.2', 'pod1', 'pod3')).toBe('10.244.1.2');
  ip('node1', `link set ${tunnelName} down mtu 1200`);
  tell(...all);
  await vi.waitFor(() => {
    expect(device(1)).toMatch(/UP.* mtu 1450/);
  }, 5_000);
  await vi.waitFor(() => {
    expect(routes(1)).toContain('10.244.3.0/24 via 198.51.100.3');
  }, 15_000);
  expect(await seenBy('fd00:3::2', 'pod1', 'pod3')).toBe('fd00:1::2');
});

test('a link of the name that is not ours is left alone, and named', async () => {
  ip('node1', `link add ${tunnelName} type bridge`);
  const { router, tell } = await startAgent(1);
  tell(...all);
  await vi.waitFor(() => {
    expect(router.counts()).toEqual({ routed: 2, tunnelled: 0, unreachable: 2, refused: 0 });
  }, 5_000);
  expect(log()).toContain(`a link ${tunnelName} that is not Berth's is in the way`);
  expect(device(1)).toContain('bridge');
});

test('another VXLAN with our identifier and port is named, and near nodes are reached all the same', async () => {
  ip('node1', 'link add other type vxlan id 4242 dstport 4790 dev eth0');
  const { tell } = await startAgent(1);
  tell(...all);
  await vi.waitFor(() => {
    expect(log()).toContain('to create the link berth-vxlan (VXLAN 4242, UDP port 4790, 192.0.2.1)');
  }, 5_000);
  await expectRoutes(1, ...toTwo);
});

test('in the mode vxlan also near nodes are reached through the tunnel', async () => {
  for (const n of [1, 2]) (await startAgent(n, 'vxlan')).tell(...all);
  for (const router of routers)
    await vi.waitFor(() => {
      expect(router.counts()).toEqual({ routed: 0, tunnelled: 4, unreachable: 0, refused: 0 });
    }, 5_000);
  expect(await seenBy('10.244.2.2')).toBe('10.244.1.2');
  expect(await seenBy('fd00:2::2')).toBe('fd00:1::2');
});
