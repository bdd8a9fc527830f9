// What the configuration says of every pod's link and network namespace: MTU and kernel parameters, on the real kernel.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { TestNode } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
let node: TestNode;

beforeAll(async () => {
  await buildExecutable(join(folder, 'berth'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  node = new TestNode(join(folder, 'berth'), ['10.244.7.0/24', 'fd00:7::/64']);
});
afterEach(() => {
  node.dispose();
});

function parameter(namespace: string, name: string): string {
  const command = ['netns', 'exec', node.name(namespace), 'sysctl', '-n', name];
  return execFileSync('ip', command, { encoding: 'utf8' }).trim();
}

test('a pod has the parameters of the configuration, its node keeps its own', async () => {
  const names = ['net.core.somaxconn', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.conf.uplink.arp_filter'];
  const before = names.map((name) => parameter('node', name));
  await node.startAgent('', {
    sysctls: {
      'net.core.somaxconn': '1234',
      'net.ipv4.tcp_keepalive_time': '99',
      'net.ipv4.conf.IFNAME.arp_filter': '1',
    },
  });
  await node.addPod('one');
  expect(parameter('one', 'net.core.somaxconn')).toBe('1234');
  expect(parameter('one', 'net.ipv4.tcp_keepalive_time')).toBe('99');
  expect(parameter('one', 'net.ipv4.conf.eth0.arp_filter')).toBe('1');
  expect(names.map((name) => parameter('node', name))).toEqual(before);
  await node.serve('world');
  expect(await node.ask('one', node.worldAddress)).toBe(node.nodeAddress);
});

test.each([
  ['there is not', { 'net.ipv4.no_such_parameter': '1' }, 'no_such_parameter'],
  // In a pod's namespace there are only those that each namespace has for itself.
  ['is one of the whole machine', { 'net.ipv4.tcp_mem': '1 2 3' }, 'tcp_mem'],
  ['does not take the value', { 'net.core.somaxconn': 'many' }, 'EINVAL'],
])('a parameter that %s fails the ADD with a sentence, and leaves nothing', async (_what, sysctls, word) => {
  await node.startAgent('', { sysctls });
  node.addNamespace('one');
  const { exit, stdout } = await node.add('one');
  const { code, msg } = JSON.parse(stdout) as { readonly code: number; readonly msg: string };
  expect({ exit, code }).toEqual({ exit: 1, code: 7 });
  expect(msg).toContain('network.sysctls of the NodeConfig');
  expect(msg).toContain(word);
  expect(node.podLinks()).toEqual([]);
  expect(node.podRoutes()).toEqual([]);
  expect(node.records()).toEqual([]);
});

test('both ends of a link have the MTU of the configuration, not that of the default route', async () => {
  await node.startAgent('', { mtu: 1300 });
  await node.addPod('one');
  expect(node.ip('one', 'link', 'show', 'eth0')).toContain('mtu 1300');
  expect(node.ip('node', 'link', 'show', node.podLinks()[0] ?? '')).toContain('mtu 1300');
});
