// Routes between nodes in real namespaces: nodes on one link, a pod on each of two, and packets between them.
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NodeFacts } from '../../cni/nodes/nodefacts.ts';
import {
  expectRoutes,
  facts,
  ip,
  log,
  name,
  routers,
  routes,
  run,
  seenBy,
  setUp,
  startAgent,
  takeDown,
  toTwo,
  undo,
} from './cni/lan.ts';

beforeEach(setUp);
afterEach(takeDown);

test.each([
  ['IPv4', '10.244.2.2', '10.244.1.2'],
  ['IPv6', 'fd00:2::2', 'fd00:1::2'],
])('a pod reaches one of another node by its address and with its own, by %s', async (_family, to, from) => {
  for (const n of [1, 2]) (await startAgent(n)).tell(facts(1), facts(2));
  await expectRoutes(1, ...toTwo);
  await expectRoutes(2, '10.244.1.0/24 via 192.0.2.1', 'fd00:1::/64 via 2001:db8::1');
  expect(await seenBy(to)).toBe(from);
});

test('nodes that come, change their address and go are followed at once', async () => {
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
  await vi.waitFor(
    () => {
      expect(after.router.counts()).toEqual({ routed: 2, tunnelled: 0, unreachable: 0, refused: 0 });
    },
    { timeout: 20_000 },
  );
  // The monitor works: this one it sees.
  ip('node1', 'route add 203.0.113.0/24 via 192.0.2.7');
  await vi.waitFor(
    () => {
      expect(events).toContain('203.0.113.0/24');
    },
    { timeout: 20_000 },
  );
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
  expect(log()).toContain("there is a route to its pods (10.244.2.0/24) that is not Berth's");
});

test('one node with nonsense keeps no other from its routes', async () => {
  const { router, tell } = await startAgent(1, 'routed');
  tell(
    ['bad', { podCIDRs: ['0.0.0.0/0', '192.0.2.0/24', '10.244.1.0/24', 'x'], addresses: ['192.0.2.66'] }],
    ['far', { podCIDRs: ['10.244.8.0/24'], addresses: ['203.0.113.8'] }],
    facts(2),
  );
  await expectRoutes(1, ...toTwo);
  await vi.waitFor(
    () => {
      expect(router.counts()).toEqual({ routed: 2, tunnelled: 0, unreachable: 1, refused: 4 });
    },
    { timeout: 20_000 },
  );
  expect(log()).toContain('node bad: pod range 0.0.0.0/0 is wider than /8; pod range 192.0.2.0/24 holds addresses');
  expect(log()).toContain('its address 203.0.113.8 is not on a link of this node');
});

test('a thousand nodes are routed, and one more without touching the others', async () => {
  const many = Array.from({ length: 1_000 }, (_, at): [string, NodeFacts] => [
    `n${at}`,
    { podCIDRs: [`10.${100 + (at >> 8)}.${at & 255}.0/24`], addresses: ['192.0.2.2'] },
  ]);
  const { router, tell } = await startAgent(1);
  tell(...many);
  await vi.waitFor(() => {
    expect(router.counts()?.routed).toBe(1_000);
  }, 10_000);
  expect(routes(1)).toHaveLength(1_000);
  tell(...many, facts(2));
  await vi.waitFor(() => {
    expect(router.counts()?.routed).toBe(1_002);
  }, 5_000);
});
