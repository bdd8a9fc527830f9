import { expect, test } from 'vitest';
import type { AddressState, LinkState, RouteState } from '../linux/rtnetlink/rtnetlink.ts';
import { linkGroup } from './attachment.ts';
import { uplinkOf } from './uplink.ts';

function link(index: number, name: string, change: Partial<LinkState> = {}): LinkState {
  return { index, name, mac: '02:00:00:00:00:01', mtu: 9001, group: 0, alias: '', up: true, kind: '', ...change };
}
function address(index: number, text: string, global = true): AddressState {
  return { index, address: text, global };
}
function route(index: number, change: Partial<RouteState> = {}): RouteState {
  return { index, destination: '0.0.0.0/0', via: '192.0.2.254', metric: 0, ...change };
}
const lo = link(1, 'lo', { mtu: 65_536 });
const loAddress = address(1, '127.0.0.1/8', false);

test.each<[string, LinkState[], AddressState[], RouteState[], { mtu: number; address: string | undefined }]>([
  [
    'the link of the default route',
    [lo, link(2, 'eth0'), link(3, 'eth1', { mtu: 1500 })],
    [loAddress, address(2, '192.0.2.1/24'), address(3, '198.51.100.1/24')],
    [route(3)],
    { mtu: 1500, address: '198.51.100.1' },
  ],
  [
    'of two default routes the better',
    [link(2, 'eth0'), link(3, 'eth1', { mtu: 1500 })],
    [address(2, '192.0.2.1/24'), address(3, '198.51.100.1/24')],
    [route(2, { metric: 200 }), route(3, { metric: 100 })],
    { mtu: 1500, address: '198.51.100.1' },
  ],
  [
    'the source the route prefers',
    [link(2, 'eth0')],
    [address(2, '192.0.2.1/24'), address(2, '192.0.2.9/24')],
    [route(2, { source: '192.0.2.9' })],
    { mtu: 9001, address: '192.0.2.9' },
  ],
  [
    'without a default route the first link with an address',
    [lo, link(2, 'eth0')],
    [loAddress, address(2, '192.0.2.1/24')],
    [],
    { mtu: 9001, address: '192.0.2.1' },
  ],
  [
    'not the MTU of a tunnel',
    [link(2, 'wg0', { kind: 'wireguard', mtu: 1420 }), link(3, 'eth0')],
    [address(2, '10.9.0.1/24'), address(3, '192.0.2.1/24')],
    [route(2)],
    { mtu: 9001, address: '10.9.0.1' },
  ],
  [
    'not a link of a pod',
    [link(2, 'veth0', { group: linkGroup, mtu: 1300 }), link(3, 'eth0')],
    [address(3, '192.0.2.1/24')],
    [],
    { mtu: 9001, address: '192.0.2.1' },
  ],
  [
    'not a link that is down',
    [link(2, 'eth0', { up: false })],
    [address(2, '192.0.2.1/24')],
    [route(2)],
    { mtu: 1500, address: undefined },
  ],
  ['nothing but lo', [lo], [loAddress], [], { mtu: 1500, address: undefined }],
])('takes %s', (_what, links, addresses, routes, expected) => {
  expect(uplinkOf(links, addresses, routes)).toEqual(expected);
});
