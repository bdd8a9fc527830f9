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

const before = {
  interfaces: [
    { name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/run/netns/x', pciID: '0000:00:1f.6' },
    { name: 'net1' },
  ],
  ips: [{ address: '192.0.2.7/24', interface: 1, gateway: '192.0.2.1' }],
  routes: [{ dst: '198.51.100.0/24', mtu: 1300 }],
  dns: { nameservers: ['192.0.2.53'], search: ['example.org'] },
};

test('what plugins before us made comes first and as it was, and addresses name their own interfaces', () => {
  const previous = { cniVersion: '1.1.0', ...before };
  expect(JSON.parse(resultText(both, '1.1.0', { previous }))).toEqual({
    cniVersion: '1.1.0',
    interfaces: [...before.interfaces, ...both.interfaces],
    ips: [...before.ips, ...both.ips.map((ip) => ({ ...ip, interface: 3 }))],
    routes: [...before.routes, ...both.routes],
    dns: before.dns,
  });
});

test.each(['0.3.1', '0.4.0', '1.0.0'])('in a list of version %s only ours is converted', (cniVersion) => {
  const text = resultText(both, cniVersion, { previous: { ...before, cniVersion } });
  const alone: unknown = JSON.parse(resultText(both, cniVersion));
  const result = JSON.parse(text) as { interfaces: unknown[]; ips: unknown[] };
  expect(alone).toMatchObject({ interfaces: result.interfaces.slice(2) });
  expect(result.interfaces.slice(0, 2)).toEqual(before.interfaces);
  expect(result.ips).toHaveLength(3);
});

test('in 0.2.0 the address of a family is ours, and what we have none of stays', () => {
  const previous = { cniVersion: '0.2.0', ip4: { ip: '192.0.2.7/24' }, ip6: { ip: '2001:db8::7/64' } };
  const four = { ...both, ips: both.ips.slice(0, 1) };
  const { ip4 } = JSON.parse(resultText(four, '0.2.0')) as { ip4: unknown };
  expect(JSON.parse(resultText(four, '0.2.0', { previous }))).toEqual({
    cniVersion: '0.2.0',
    ip4,
    ip6: { ip: '2001:db8::7/64' },
  });
});

test('name servers are those of the configuration instead of the ones before, also when it says: none', () => {
  const dnsOf = (dns: object | undefined): unknown =>
    (JSON.parse(resultText(both, '1.1.0', { previous: before, dns })) as { dns?: unknown }).dns;
  expect(dnsOf(undefined)).toEqual(before.dns);
  expect(dnsOf({ nameservers: ['203.0.113.53'] })).toEqual({ nameservers: ['203.0.113.53'] });
  expect(dnsOf({})).toBeUndefined();
  expect(JSON.parse(resultText(both, '1.1.0'))).not.toHaveProperty('dns');
});
