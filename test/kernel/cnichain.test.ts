// Other plugins in the same list: what those before us made is kept and passed on, in real namespaces.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { TestNode, addressesOf } from './cni/node.ts';
import type { Answer } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-chain-'));
let node: TestNode;

beforeAll(async () => {
  await buildExecutable(join(folder, 'berth'));
  node = new TestNode(join(folder, 'berth'), ['10.244.7.0/24', 'fd00:7::/64']);
  await node.startAgent();
});
afterAll(() => {
  node.dispose();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  await node.clear();
});

/** A pod to which another plugin has given an interface, and the result of that plugin. */
function podWithAnother(pod: string, cniVersion: string): Record<string, unknown> {
  node.addNamespace(pod);
  node.ip(pod, 'link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'far1');
  node.ip(pod, 'link', 'set', 'far1', 'up');
  node.ip(pod, 'address', 'add', '198.51.100.7/24', 'dev', 'net1');
  node.ip(pod, 'link', 'set', 'net1', 'up');
  return {
    cniVersion,
    interfaces: [{ name: 'net1', mac: '02:00:00:00:00:07', sandbox: node.path(pod) }],
    ips: [{ ...(cniVersion.startsWith('0.') ? { version: '4' } : {}), address: '198.51.100.7/24', interface: 0 }],
    routes: [{ dst: '203.0.113.0/24', gw: '198.51.100.1' }],
    dns: { nameservers: ['198.51.100.53'] },
  };
}

function contentOf(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.stdout) as Record<string, unknown>;
}

test.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
  'in a list of version %s the answer has both plugins, CHECK takes it, and DEL removes ours alone',
  async (cniVersion) => {
    const prevResult = podWithAnother('one', cniVersion);
    const answer = await node.add('one', { cniVersion, prevResult });
    expect(contentOf(answer)).toMatchObject({
      cniVersion,
      interfaces: [{ name: 'net1' }, { name: expect.stringMatching(/^veth/) as string }, { name: 'eth0' }],
      ips: [{ address: '198.51.100.7/24', interface: 0 }, { interface: 2 }, { interface: 2 }],
      routes: [{ dst: '203.0.113.0/24' }, { dst: '0.0.0.0/0' }, { dst: '::/0' }],
      dns: { nameservers: ['198.51.100.53'] },
    });
    expect(await node.add('one', { cniVersion, prevResult })).toEqual(answer);
    await node.serve('node');
    expect(await node.ask('one', node.nodeAddress)).toBe(addressesOf(answer)[1]);
    if (!cniVersion.startsWith('0.3.')) {
      const check = (): Promise<Answer> =>
        node.cni('CHECK', node.variables('one'), { cniVersion, prevResult: contentOf(answer) });
      expect(await check()).toEqual({ exit: 0, stdout: '' });
      node.ip('one', 'link', 'del', 'eth0');
      expect(contentOf(await check())['code']).toBe(100);
    }
    const config = { cniVersion, prevResult: contentOf(answer) };
    expect(await node.cni('DEL', node.variables('one'), config)).toEqual({ exit: 0, stdout: '' });
    expect(node.ip('one', 'link', 'show')).toContain('net1');
    expect(node.records()).toEqual([]);
  },
);

test.each([
  ['0.0.0.0/0', ['route', 'add', 'default', 'via', '198.51.100.1']],
  ['::/0', ['-6', 'route', 'add', 'default', 'dev', 'net1', 'metric', '1024']],
])('a plugin before us that has made the route to %s is told so, and nothing of ours stays', async (route, args) => {
  const prevResult = podWithAnother('one', '1.1.0');
  node.ip('one', ...args);
  const refused = contentOf(await node.add('one', { prevResult }));
  expect(refused).toMatchObject({ code: 7, msg: expect.stringContaining(`has a route to ${route}`) as string });
  expect(node.podLinks()).toEqual([]);
  expect(node.podRoutes()).toEqual([]);
  expect(node.records()).toEqual([]);
  expect(node.ip('one', '-br', 'link', 'show')).not.toContain('eth0');
});

test('asked as loopback behind another plugin, the result of that one is passed on', async () => {
  const prevResult = podWithAnother('one', '1.0.0');
  const answer = await node.add('one', { cniVersion: '1.0.0', type: 'loopback', prevResult });
  expect(contentOf(answer)).toEqual(prevResult);
  expect(node.ip('one', '-br', 'link', 'show', 'lo')).toContain('LOWER_UP');
});

test('name servers of the configuration are in the answer, those of the runtime before them', async () => {
  node.addNamespace('one');
  const dns = { nameservers: ['192.0.2.53'], search: ['shop.example'] };
  expect(contentOf(await node.add('one', { dns }))['dns']).toEqual(dns);
  const runtimeConfig = { dns: { Servers: ['203.0.113.53'], Searches: null, Options: ['ndots:5'] } };
  expect(contentOf(await node.add('one', { dns, runtimeConfig }))['dns']).toEqual({
    ...dns,
    nameservers: ['203.0.113.53'],
    options: ['ndots:5'],
  });
});
