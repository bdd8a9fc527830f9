import { expect, test } from 'vitest';
import { FakeNftables } from '../linux/nftables/fake.ts';
import { FakeSysctl } from '../linux/sysctl.ts';
import { applyDatapath, tableName } from './datapath.ts';

test('forwards, guards the node, and masquerades what leaves the range, once and again', async () => {
  const [nftables, sysctl] = [new FakeNftables(), new FakeSysctl()];
  const input = {
    pods: ['10.1.0.0/24'],
    masquerade: true,
    direct: ['10.0.0.0/8', 'fd00::/8'],
    nodes: ['10.1.1.0/24', 'fd00:1:1::/64'],
    uplinks6: [],
  };
  await applyDatapath(input, (commands) => nftables.run(commands), sysctl);
  await applyDatapath(input, (commands) => nftables.run(commands), sysctl);
  expect(await sysctl.read('net.ipv4.ip_forward')).toBe('1');
  const state = await nftables.list(tableName);
  expect(state?.sets).toEqual(
    new Map([
      ['pods', ['10.1.0.0/24']],
      ['pods6', []],
      ['direct', ['10.0.0.0/8', '224.0.0.0/4']],
      ['direct6', ['fd00::/8', 'fe80::/10', 'ff00::/8']],
      ['nodes', ['10.1.1.0/24']],
      ['nodes6', ['fd00:1:1::/64']],
      ['ports', []],
      ['ports6', []],
      ['addressports', []],
      ['addressports6', []],
      ['hairpin', []],
      ['hairpin6', []],
    ]),
  );
  expect(nftables.rules(tableName, 'pods-out')).toHaveLength(5);
  expect(nftables.rules(tableName, 'guard')).toHaveLength(2);
});

test('with IPv6 pods the node forwards IPv6 and goes on believing the router it has its default route from', async () => {
  const accept = { 'net/ipv6/conf/eth0/accept_ra': '1', 'net/ipv6/conf/eth1/accept_ra': '0' };
  const sysctl = new FakeSysctl({ 'net.ipv4.ip_forward': '0', 'net.ipv6.conf.all.forwarding': '0', ...accept });
  const input = { pods: ['10.1.0.0/24', 'fd00:1::/64'], masquerade: true, direct: [], uplinks6: ['eth0', 'eth1'] };
  await applyDatapath(input, () => Promise.resolve(), sysctl);
  expect(Object.fromEntries(sysctl.values)).toEqual({
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.forwarding': '1',
    'net/ipv6/conf/eth0/accept_ra': '2',
    'net/ipv6/conf/eth1/accept_ra': '0',
  });
});

test('networks inside others are left out: an interval set refuses overlaps', async () => {
  const nftables = new FakeNftables();
  const pods = ['10.1.0.7/32', '10.1.0.0/24', '10.9.0.3/32', '10.9.0.3/32'];
  await applyDatapath(
    { pods, masquerade: false, direct: ['10.0.0.0/8', '10.1.0.0/16'], uplinks6: [] },
    (commands) => nftables.run(commands),
    new FakeSysctl(),
  );
  const state = await nftables.list(tableName);
  expect(state?.sets.get('pods')).toEqual(['10.1.0.0/24', '10.9.0.3/32']);
  expect(state?.sets.get('direct')).toEqual(['10.0.0.0/8', '224.0.0.0/4']);
  expect(nftables.rules(tableName, 'pods-out')?.some((rule) => rule.includes('@pods'))).toBe(false);
});
