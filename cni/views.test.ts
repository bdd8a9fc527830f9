import { expect, test } from 'vitest';
import { parseNetwork } from './addresses.ts';
import type { Attachment } from './attachment.ts';
import { AddressPool } from './pool.ts';
import { attachmentViews, poolViews, routeViews } from './views.ts';

function attachment(containerID: string, name?: string): Attachment {
  const end = { name: 'veth0', index: 7, mac: '02:00:00:00:00:01' };
  return {
    containerID,
    ifname: 'eth0',
    network: 'berth',
    netns: { path: '/run/netns/a', identity: '4:1' },
    addresses: ['10.1.0.2'],
    host: end,
    sandbox: { ...end, name: 'eth0' },
    mtu: 1400,
    state: 'active',
    since: 0,
    ...(name === undefined ? {} : { pod: { namespace: 'default', name, uid: 'u' } }),
  };
}

test('attachments are in the order of pods, those without a pod first', () => {
  const views = attachmentViews([attachment('3', 'b'), attachment('2', 'a'), attachment('1')]);
  expect(views.map(({ containerID }) => containerID)).toEqual(['1', '2', '3']);
  expect(views[1]).toEqual({
    namespace: 'default',
    pod: 'a',
    podUID: 'u',
    interface: 'eth0',
    addresses: ['10.1.0.2'],
    containerID: '2',
    link: 'veth0',
    mtu: 1400,
    ports: [],
    ingressRate: 0,
    egressRate: 0,
    state: 'active',
    since: '1970-01-01T00:00:00.000Z',
  });
});

test('routes are in the order of nodes, with the end of the tunnel and the reason where there is no way', () => {
  const end = { node: 'b', address: '203.0.113.2', mac: '02:00:00:00:00:02' };
  expect(routeViews(undefined)).toEqual([]);
  expect(
    routeViews({
      ranges: [],
      routes: [
        { node: 'b', destination: 'fd00:2::/64', via: 'fe80::2', index: 7, end },
        { node: 'a', destination: '10.1.1.0/24', via: '192.0.2.2', index: 2 },
      ],
      unreachable: [{ node: 'c', range: '10.1.3.0/24', reason: 'no way' }],
      refusals: [{ node: 'd', reason: 'nonsense' }],
    }),
  ).toEqual([
    { node: 'a', range: '10.1.1.0/24', way: 'direct', via: '192.0.2.2', reason: '' },
    { node: 'b', range: 'fd00:2::/64', way: 'tunnel', via: '203.0.113.2', reason: '' },
    { node: 'c', range: '10.1.3.0/24', way: 'none', via: '', reason: 'no way' },
    { node: 'd', range: '', way: 'none', via: '', reason: 'nonsense' },
  ]);
});

test('a pool counts the addresses of its range', () => {
  const ranges = ['10.1.0.0/29'].flatMap((range) => parseNetwork(range) ?? []);
  expect(poolViews(new AddressPool(ranges, [attachment('1')]).ranges)).toEqual([
    { kind: 'addresses', range: '10.1.0.0/29', size: 5, used: 1, free: 4, cooling: 0 },
  ]);
});

test('an attachment shows its ports and its rates in bits per second', () => {
  const [view] = attachmentViews([
    {
      ...attachment('1'),
      ports: [
        { protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIP: '' },
        { protocol: 'udp', hostPort: 53, containerPort: 5353, hostIP: 'fd00::1' },
      ],
      limits: { egress: { rate: 125_000, burst: 15_000, link: 'ifb0', index: 8 } },
    },
  ]);
  expect(view).toMatchObject({
    ports: ['8080->80/tcp', '[fd00::1]:53->5353/udp'],
    ingressRate: 0,
    egressRate: 1_000_000,
  });
});
