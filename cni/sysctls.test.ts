import { expect, test } from 'vitest';
import { refusalOfSysctl, sysctlName } from './sysctls.ts';

test.each([
  'net.core.somaxconn',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.conf.IFNAME.arp_filter',
  'net.ipv6.conf.all.use_tempaddr',
  'net.unix.max_dgram_qlen',
])('%s may be set', (name) => {
  expect(refusalOfSysctl(name)).toBeUndefined();
});

test.each([
  ['kernel.shmmax', 'of a network namespace'],
  ['vm.swappiness', 'of a network namespace'],
  ['net.ipv4', 'of a network namespace'],
  ['net.ipv4..ip_forward', 'of a network namespace'],
  ['net/ipv4/../../kernel/core_pattern', 'of a network namespace'],
  ['net.ipv4.conf.eth0 .x', 'of a network namespace'],
  ['', 'of a network namespace'],
  ['net.ipv6.conf.IFNAME.accept_ra', 'does not set itself'],
  ['net.ipv6.conf.all.disable_ipv6', 'does not set itself'],
])('"%s" may not', (name, reason) => {
  expect(refusalOfSysctl(name)).toContain(reason);
});

test("the pod's interface stands for its placeholder, also one with dots in its name", () => {
  expect(sysctlName('net.ipv4.conf.IFNAME.arp_filter', 'eth0.7')).toBe('net/ipv4/conf/eth0.7/arp_filter');
  expect(sysctlName('net.core.somaxconn', 'eth0')).toBe('net/core/somaxconn');
});
