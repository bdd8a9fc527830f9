import { expect, test } from 'vitest';
import { resultText } from './result.ts';
import type { AddResult } from './result.ts';

const both: AddResult = {
  interfaces: [
    { name: 'veth0', mac: '02:00:00:00:00:01', mtu: 1400 },
    { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1400, sandbox: '/run/netns/x' },
  ],
  ips: [
    { address: '10.1.0.2/32', gateway: '169.254.1.1', interface: 1 },
    { address: 'fd00::2/128', gateway: 'fe80::1', interface: 1 },
  ],
  routes: [
    { dst: '0.0.0.0/0', gw: '169.254.1.1' },
    { dst: '::/0', gw: 'fe80::1' },
  ],
};
const withoutMtu = [
  { name: 'veth0', mac: '02:00:00:00:00:01' },
  { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/x' },
];

test('1.1.0 is given as it is', () => {
  expect(JSON.parse(resultText(both, '1.1.0'))).toEqual({ cniVersion: '1.1.0', ...both });
});

test('1.0.0 knows no MTU', () => {
  expect(JSON.parse(resultText(both, '1.0.0'))).toEqual({ cniVersion: '1.0.0', ...both, interfaces: withoutMtu });
});

test.each(['0.3.0', '0.3.1', '0.4.0'])('%s says the family of each address', (cniVersion) => {
  expect(JSON.parse(resultText(both, cniVersion))).toEqual({
    cniVersion,
    interfaces: withoutMtu,
    ips: [
      { version: '4', ...both.ips[0] },
      { version: '6', ...both.ips[1] },
    ],
    routes: both.routes,
  });
});

test.each(['0.1.0', '0.2.0'])(
  '%s has one address of each family, with its own routes, and no interfaces',
  (cniVersion) => {
    const ip4 = { ip: '10.1.0.2/32', gateway: '169.254.1.1', routes: [both.routes[0]] };
    const ip6 = { ip: 'fd00::2/128', gateway: 'fe80::1', routes: [both.routes[1]] };
    expect(JSON.parse(resultText(both, cniVersion))).toEqual({ cniVersion, ip4, ip6 });
    const four = { ...both, ips: both.ips.slice(0, 1) };
    expect(JSON.parse(resultText(four, cniVersion))).toEqual({ cniVersion, ip4 });
  },
);
