import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AddressState, LinkState, RouteState } from '../../linux/rtnetlink/rtnetlink.ts';
import { linkGroup } from '../attachment.ts';
import { overlap, parseNetwork } from '../addresses.ts';
import type { NodeFacts } from './nodefacts.ts';
import { planNodeRoutes, routeChanges, routeMaker } from './noderoutes.ts';
import type { NodePlan, NodePlanInput } from './noderoutes.ts';

const eth0 = 2;
const eth1 = 3;
const pod = 9;
const link: LinkState = {
  index: eth0,
  name: 'eth0',
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  group: 0,
  alias: '',
  up: true,
  kind: '',
};
const links: readonly LinkState[] = [
  link,
  { ...link, index: eth1, name: 'eth1' },
  { ...link, index: pod, name: 'veth1', group: linkGroup },
];
const addresses: readonly AddressState[] = [
  { index: eth0, address: '192.0.2.1/24', global: true },
  { index: eth1, address: '198.51.100.1/25', global: true },
  { index: eth0, address: '2001:db8::1/64', global: true },
];
const surroundings: readonly RouteState[] = [
  { index: eth0, destination: '0.0.0.0/0', via: '192.0.2.254', metric: 100 },
  { index: eth0, destination: '192.0.2.0/24', protocol: 2, metric: 0 },
  { index: eth1, destination: '198.51.100.0/25', protocol: 2, metric: 0 },
  { index: pod, destination: '10.1.0.7/32', metric: 0 },
  { index: eth0, destination: '2001:db8::/64', protocol: 2, metric: 256 },
];

/** A route as an earlier plan made it. */
function ours(destination: string, via: string, index = eth0): RouteState {
  return { destination, via, index, protocol: routeMaker, metric: 0 };
}

function plan(
  nodes: Record<string, readonly [ranges: string, address: string]>,
  routes: RouteState[] = [],
  ways: Pick<NodePlanInput, 'mode' | 'tunnel'> = { mode: 'routed', tunnel: 'no tunnel' },
): NodePlan {
  const facts = Object.entries(nodes).map(([name, [ranges, address]]): [string, NodeFacts] => [
    name,
    { podCIDRs: ranges === '' ? [] : ranges.split(' '), addresses: address === '' ? [] : address.split(' ') },
  ]);
  return planNodeRoutes({
    ...ways,
    nodeName: 'me',
    nodes: new Map(facts),
    own: ['10.1.0.0/24', 'fd00:1::/64'].flatMap((text) => parseNetwork(text) ?? []),
    links,
    addresses,
    routes: [...surroundings, ...routes],
  });
}

const tunnel = { index: 77, local: '192.0.2.1', addresses: ['10.1.0.1', 'fd00:1::1'] };

test('a far node is reached through the tunnel, a near one only if all are to be', () => {
  const nodes = { near: ['10.1.1.0/24', '192.0.2.2'], far: ['10.1.2.0/24 fd00:2::/64', '203.0.113.2'] } as const;
  const auto = plan(nodes, [], { mode: 'auto', tunnel });
  expect(auto.routes.map(({ via, index, source }) => [via, index, source])).toEqual([
    ['192.0.2.2', eth0, undefined],
    ['203.0.113.2', 77, '10.1.0.1'],
    [expect.stringMatching(/^fe80::/), 77, 'fd00:1::1'],
  ]);
  const [, , six] = auto.routes;
  expect(six?.end).toMatchObject({ node: 'far', address: '203.0.113.2', mac: expect.stringMatching(/^02:/) as string });
  expect(plan(nodes, [], { mode: 'vxlan', tunnel }).routes.map(({ index }) => index)).toEqual([77, 77, 77]);
  expect(plan(nodes, [], { mode: 'routed', tunnel }).routes.map(({ index }) => index)).toEqual([eth0]);
  expect(plan(nodes, [], { mode: 'auto', tunnel: 'no end here' }).unreachable).toContainEqual({
    node: 'far',
    range: '10.1.2.0/24',
    reason: 'no end here',
  });
  // What is there already is not made again.
  const made = auto.routes.map(({ destination, via, index, source }): RouteState => ({
    ...ours(destination, via, index),
    ...(source === undefined ? {} : { source }),
  }));
  expect(routeChanges(plan(nodes, made, { mode: 'auto', tunnel }).routes, made)).toEqual([]);
});

test('of two far nodes with one range the one that was first keeps it, through the tunnel, too', () => {
  const range = '10.1.2.0/24';
  const made = [{ ...ours(range, '203.0.113.2', 77), source: '10.1.0.1' }];
  const { routes, refusals } = plan({ old: [range, '203.0.113.2'], new: [range, '203.0.113.3'] }, made, {
    mode: 'auto',
    tunnel,
  });
  expect([routes.map(({ node }) => node), refusals.map(({ node }) => node)]).toEqual([['old'], ['new']]);
});

test.each([
  ['10.1.2.0/24', 'fd00:77::2', tunnel, 'it has no internal address of IPv4'],
  ['10.1.2.0/24', '2001:db8:9::2', { ...tunnel, local: '2001:db8::1' }, 'IPv4 pods (10.1.2.0/24) are not reached'],
  ['10.1.2.0/24', '192.0.2.1', tunnel, 'is one of this node'],
])('no tunnel leads to %s of a node at %s', (range, address, end, reason) => {
  const { routes, unreachable } = plan({ far: [range, address] }, [], { mode: 'vxlan', tunnel: end });
  expect([routes, unreachable[0]?.reason]).toEqual([[], expect.stringContaining(reason)]);
});

test('one route for each other node through its address, over the link it is on', () => {
  const { routes, ranges, refusals, unreachable } = plan({
    me: ['10.1.0.0/24', '192.0.2.1'],
    a: ['10.1.1.0/24', '192.0.2.2'],
    b: ['fd00:2::/64 10.1.2.0/24', '2001:db8::2 198.51.100.9'],
    new: ['', '192.0.2.7'],
  });
  expect(routes).toEqual([
    { node: 'a', destination: '10.1.1.0/24', via: '192.0.2.2', index: eth0 },
    { node: 'b', destination: 'fd00:2::/64', via: '2001:db8::2', index: eth0 },
    { node: 'b', destination: '10.1.2.0/24', via: '198.51.100.9', index: eth1 },
  ]);
  expect([ranges, refusals, unreachable]).toEqual([['10.1.1.0/24', 'fd00:2::/64', '10.1.2.0/24'], [], []]);
});

test.each([
  ['that is no network', '10.1.1.0', 'pod range "10.1.1.0" is not a network'],
  ['with bits behind the prefix', '10.1.1.5/24', 'is not a network'],
  ['that is a word', '";flush\nruleset', 'is not a network'],
  ['that is everything', '0.0.0.0/0', '0.0.0.0/0 is wider than /8'],
  ['of loopback', '127.0.0.0/16', 'is not for pods'],
  ["of the pods' gateway", '169.254.1.0/24', 'is not for pods'],
  ['of multicast', '224.1.0.0/16', 'is not for pods'],
  ['that is ours', '10.1.0.0/24', '10.1.0.0/24 overlaps 10.1.0.0/24, a range of this node'],
  ['around ours', '10.0.0.0/8', 'overlaps 10.1.0.0/24, a range of this node'],
  ['inside ours', '10.1.0.128/25', 'overlaps 10.1.0.0/24, a range of this node'],
  ['of IPv6 that is ours', 'fd00:1::/48', 'overlaps fd00:1::/64, a range of this node'],
  ['of IPv6 with this node in it', '2001:db8::/56', 'holds addresses of nodes'],
  ['of links of IPv6', 'fe80::/64', 'is not for pods'],
  ['with this node in it', '198.51.100.0/28', 'holds addresses of nodes'],
  ['with another node in it', '192.0.2.4/30', 'holds addresses of nodes'],
  ['with the gateway in it', '192.0.2.252/30', 'holds addresses of nodes'],
])('a range %s is refused, and the other nodes are routed', (_what, range, reason) => {
  const { routes, ranges, refusals } = plan({ bad: [range, '192.0.2.3'], good: ['10.1.1.0/24', '192.0.2.5'] });
  expect(refusals).toEqual([{ node: 'bad', reason: expect.stringContaining(reason) as string }]);
  expect(routes.map(({ node }) => node)).toEqual(['good']);
  expect(ranges).toEqual(['10.1.1.0/24']);
});

test.each([
  ['the same range', '10.1.1.0/24'],
  ['a range in that of another', '10.1.1.64/26'],
])('of two nodes with %s neither is believed', (_what, range) => {
  const { routes, refusals } = plan({
    a: ['10.1.1.0/24', '192.0.2.2'],
    b: [range, '192.0.2.3'],
    c: ['10.1.2.0/24', '192.0.2.4'],
  });
  expect(routes.map(({ node }) => node)).toEqual(['c']);
  expect(refusals.map(({ node }) => node).sort()).toEqual(['a', 'b']);
  expect(refusals[0]?.reason).toContain('is claimed by node');
});

test.each([['10.1.1.0/24'], ['10.1.1.64/26'], ['10.0.0.0/16']])(
  'a node that claims %s does not take away what leads to another already',
  (range) => {
    const established = range.startsWith('10.0') ? '10.0.3.0/24' : '10.1.1.0/24';
    const { routes, refusals } = plan({ thief: [range, '192.0.2.3'], a: [established, '192.0.2.2'] }, [
      ours(established, '192.0.2.2'),
    ]);
    expect(routes.map(({ node }) => node)).toEqual(['a']);
    expect(refusals.map(({ node }) => node)).toEqual(['thief']);
  },
);

test.each([
  ['without an address', '', 'has no internal address of IPv4 yet'],
  ['with nonsense for an address', 'localhost', 'has no internal address of IPv4 yet'],
  ['with an address of ours', '192.0.2.1', 'is one of this node'],
  ['behind a router', '203.0.113.5', 'is not on a link of this node'],
  ["among this node's pods", '10.1.0.7', 'is not on a link of this node'],
])('a node %s is unreachable, and its range still no world outside', (_what, address, reason) => {
  const { routes, ranges, unreachable } = plan({ a: ['10.1.1.0/24', address] });
  expect(routes).toEqual([]);
  expect(ranges).toEqual(['10.1.1.0/24']);
  expect(unreachable).toEqual([{ node: 'a', range: '10.1.1.0/24', reason: expect.stringContaining(reason) as string }]);
});

test("a route of somebody else's to the same range is left alone", () => {
  const foreign: RouteState = { index: eth0, destination: '10.1.1.0/24', via: '192.0.2.9', metric: 50 };
  const { routes, unreachable } = plan({ a: ['10.1.1.0/24', '192.0.2.2'] }, [foreign]);
  expect(routes).toEqual([]);
  expect(unreachable[0]?.reason).toContain("not Berth's");
  expect(routeChanges(routes, [...surroundings, foreign])).toEqual([]);
});

test('only what differs changes', () => {
  const wanted = plan({
    same: ['10.1.1.0/24', '192.0.2.2'],
    moved: ['10.1.2.0/24', '192.0.2.9'],
    new: ['10.1.3.0/24', '192.0.2.4'],
  }).routes;
  const there = [
    ...surroundings,
    ours('10.1.1.0/24', '192.0.2.2'),
    ours('10.1.2.0/24', '192.0.2.3'),
    ours('10.1.9.0/24', '192.0.2.8'),
  ];
  const maker = { protocol: routeMaker, index: eth0 };
  expect(routeChanges(wanted, there)).toEqual([
    { op: 'add-route', destination: '10.1.2.0/24', via: '192.0.2.9', replace: true, ...maker },
    { op: 'add-route', destination: '10.1.3.0/24', via: '192.0.2.4', replace: false, ...maker },
    { op: 'delete-route', destination: '10.1.9.0/24', via: '192.0.2.8', ...maker },
  ]);
});

test('whatever the Nodes claim, what is applied never overlaps, and nothing else is deleted than ours', () => {
  const octet = fc.integer({ min: 8, max: 12 });
  const range = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.tuple(octet, octet, octet, fc.integer({ min: 6, max: 32 })).map(([a, b, c, p]) => {
      const base = (((a * 256 + b) * 256 + c) * 256) & (p === 0 ? 0 : -1 << (32 - p));
      return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${p}`;
    }),
  );
  const address = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.integer({ min: 0, max: 255 }).map((n) => `192.0.2.${n}`),
  );
  const facts = fc.record({
    podCIDRs: fc.array(range, { maxLength: 3 }),
    addresses: fc.array(address, { maxLength: 2 }),
  });
  fc.assert(
    fc.property(fc.dictionary(fc.string({ maxLength: 3 }), facts, { maxKeys: 12 }), (nodes) => {
      const own = parseNetwork('10.10.0.0/16');
      const input = {
        mode: 'routed',
        tunnel: 'none',
        nodeName: 'me',
        own: own === undefined ? [] : [own],
        links,
        addresses,
        routes: surroundings,
      } as const;
      const { routes, ranges } = planNodeRoutes({ ...input, nodes: new Map(Object.entries(nodes)) });
      const networks = [...ranges, '10.10.0.0/16'].flatMap((text) => parseNetwork(text) ?? []);
      networks.forEach((one, at) => {
        expect(networks.slice(at + 1).filter((other) => overlap(one, other))).toEqual([]);
      });
      const changes = routeChanges(routes, surroundings);
      expect(changes.every((change) => change.op === 'add-route' && change.via?.startsWith('192.0.2.'))).toBe(true);
    }),
  );
});
