// The operations in real namespaces: ADD, DEL, CHECK and GC by the executable, what they answer, and what they refuse.
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TestNode } from './cni/node.ts';
import { addressOf } from './cni/node.ts';
import { hostLinkName } from '../../cni/attachment.ts';
import { codeOf, expectNothingLeft, useNodes } from './cni/scene.ts';

const { common, start } = useNodes();

describe('ADD', () => {
  test('repeated, gives the same answer and a working pod', async () => {
    const node = await common();
    node.addNamespace('one');
    const first = await node.add('one');
    expect(await node.add('one')).toEqual(first);
    await node.serve('one');
    expect(await node.ask('node', addressOf(first))).toBe(node.nodeAddress);
    expect(node.podLinks()).toHaveLength(1);
    expect(node.records()).toHaveLength(1);
  });

  test('refuses an interface name that something else has, and leaves nothing', async () => {
    const node = await common();
    node.addNamespace('one');
    node.ip('one', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'other');
    const answer = await node.add('one');
    expect(answer.exit).toBe(1);
    expect(codeOf(answer)).toBe(4);
    expect(answer.stdout).toContain('has an interface eth0 that berth did not make');
    expectNothingLeft(node);
    expect(node.ip('one', 'link', 'show', 'eth0')).toContain('eth0');
  });

  test("says so when the name of the node's end is taken, leaves that link alone, and works without it", async () => {
    const node = await common();
    node.addNamespace('one');
    const name = hostLinkName({ containerID: 'container-one', ifname: 'eth0' });
    node.ip('node', 'link', 'add', name, 'type', 'bridge');
    const answer = await node.add('one');
    expect(codeOf(answer)).toBe(5);
    expect(answer.stdout).toContain(`the node has a link ${name} that berth did not make`);
    expect(node.records()).toEqual([]);
    node.ip('node', 'link', 'del', name);
    expect((await node.add('one')).exit).toBe(0);
  });

  test('names an exhausted range, and STATUS says so too, until a pod goes', async () => {
    const node = await start('10.244.7.0/30');
    await node.addPod('one');
    node.addNamespace('two');
    const answer = await node.add('two');
    expect(codeOf(answer)).toBe(11);
    expect(answer.stdout).toContain('no free address in 10.244.7.0/30');
    const status = await node.cni('STATUS', {});
    expect([status.exit, codeOf(status)]).toEqual([1, 50]);
    await node.del('one');
    expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
    expect(addressOf(await node.add('two'))).toBe('10.244.7.2');
  });

  test('thirty at once get thirty addresses, and thirty DELs at once take them away', async () => {
    const node = await common();
    const pods = Array.from({ length: 30 }, (_, at) => `pod${at}`);
    for (const pod of pods) node.addNamespace(pod);
    const addresses = await Promise.all(pods.map(async (pod) => addressOf(await node.add(pod))));
    expect(new Set(addresses).size).toBe(30);
    expect(node.podRoutes()).toHaveLength(30);
    const answers = await Promise.all(pods.map((pod) => node.del(pod)));
    expect(answers.every((answer) => answer.exit === 0)).toBe(true);
    expectNothingLeft(node);
  });
});

describe('DEL', () => {
  test('takes everything from both ends, and again without complaint', async () => {
    const node = await common();
    await node.addPod('one');
    expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
    expect(node.ip('one', 'link', 'show')).not.toContain('eth0');
    expectNothingLeft(node);
    expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
  });

  test.each([
    ['with an empty CNI_NETNS', (node: TestNode) => node.del('one', { CNI_NETNS: '' })],
    [
      'when the namespace has gone',
      (node: TestNode) => {
        node.removeNamespace('one');
        return node.del('one');
      },
    ],
    ['when a plain file is where the namespace was', (node: TestNode) => node.del('one', { CNI_NETNS: '/etc/passwd' })],
    ['when a folder is there', (node: TestNode) => node.del('one', { CNI_NETNS: '/etc' })],
    [
      'when another kind of namespace is there',
      (node: TestNode) => node.del('one', { CNI_NETNS: '/proc/self/ns/mnt' }),
    ],
    ["with the node's own namespace", (node: TestNode) => node.del('one', { CNI_NETNS: '/proc/self/ns/net' })],
    [
      'with a prevResult that is none',
      (node: TestNode) => node.cni('DEL', node.variables('one'), { prevResult: { ips: [{ address: 7 }] } }),
    ],
    [
      'ten times at once',
      async (node: TestNode) => {
        const answers = await Promise.all(Array.from({ length: 10 }, () => node.del('one')));
        expect(answers.filter(({ exit }) => exit !== 0)).toEqual([]);
        return answers[0]!;
      },
    ],
    ['of a container nobody knows', (node: TestNode) => node.del('one').then(() => node.del('nobody'))],
  ])('succeeds %s', async (_when, act) => {
    const node = await common();
    await node.addPod('one');
    expect(await act(node)).toEqual({ exit: 0, stdout: '' });
    expectNothingLeft(node);
  });
});

describe('what is refused', () => {
  test.each<[string, string, Record<string, string>, Record<string, unknown>, number]>([
    ['an unknown version', 'ADD', {}, { cniVersion: '9.0.0' }, 1],
    ['GC before 1.1.0', 'GC', {}, { cniVersion: '1.0.0' }, 1],
    ['STATUS before 1.1.0', 'STATUS', {}, { cniVersion: '0.4.0' }, 1],
    ['an unknown operation', 'JUMP', {}, {}, 4],
    ['a container ID with a path', 'ADD', { CNI_CONTAINERID: '../x' }, {}, 4],
    ['an empty container ID', 'DEL', { CNI_CONTAINERID: '' }, {}, 4],
    ['a container ID of 4 KiB', 'ADD', { CNI_CONTAINERID: 'x'.repeat(4096) }, {}, 4],
    ['an interface name the kernel counts with', 'ADD', { CNI_IFNAME: 'eth%d' }, {}, 4],
    ['an interface name of 16 bytes', 'ADD', { CNI_IFNAME: 'x'.repeat(16) }, {}, 4],
    ['no namespace', 'ADD', { CNI_NETNS: '' }, {}, 4],
    ['a namespace that is not there', 'ADD', { CNI_NETNS: '/run/netns/not-there' }, {}, 4],
    ['a namespace that is a folder', 'ADD', { CNI_NETNS: '/etc' }, {}, 4],
    ['a namespace that is a device', 'ADD', { CNI_NETNS: '/dev/zero' }, {}, 4],
    ['a namespace that is a file', 'ADD', { CNI_NETNS: '/etc/passwd' }, {}, 4],
    ['a namespace of another kind', 'ADD', { CNI_NETNS: '/proc/self/ns/mnt' }, {}, 4],
    ["the node's own namespace", 'ADD', { CNI_NETNS: '/proc/self/ns/net' }, {}, 8],
    [
      'a plugin before us that made the interface',
      'ADD',
      {},
      { prevResult: { interfaces: [{ name: 'eth0', sandbox: '/run/netns/one' }] } },
      7,
    ],
    [
      'a result of a plugin before us that does not fit together',
      'ADD',
      {},
      { prevResult: { ips: [{ address: '10.0.0.1/24', interface: 0 }] } },
      7,
    ],
    ['a name server of two lines', 'ADD', {}, { dns: { nameservers: ['10.0.0.1\nsearch evil'] } }, 7],
    ['a network name with a slash', 'ADD', {}, { name: 'a/b' }, 7],
    ['CHECK without prevResult', 'CHECK', {}, {}, 7],
    ['CHECK of what is not attached', 'CHECK', {}, { prevResult: { ips: [] } }, 100],
  ])('%s', async (_what, command, variables, config, code) => {
    const node = await common();
    node.addNamespace('one');
    const answer = await node.cni(command, { ...node.variables('one'), ...variables }, config);
    expect([answer.exit, codeOf(answer)]).toEqual([1, code]);
    expectNothingLeft(node);
  });

  test('more on standard input than the agent takes', async () => {
    const node = await common();
    const answer = await node.execute('ADD', node.variables('one'), 'x'.repeat(10 * 1024 * 1024));
    expect([answer.exit, codeOf(answer)]).toEqual([1, 6]);
  });
});

describe('CHECK and GC', () => {
  test('CHECK notices what was taken away behind our back', async () => {
    const node = await common();
    node.addNamespace('one');
    const prevResult: unknown = JSON.parse((await node.add('one')).stdout);
    const check = (): Promise<{ exit: number; stdout: string }> =>
      node.cni('CHECK', node.variables('one'), { prevResult });
    expect(await check()).toEqual({ exit: 0, stdout: '' });
    node.ip('one', 'route', 'del', 'default');
    expect(codeOf(await check())).toBe(100);
    node.ip('one', 'link', 'del', 'eth0');
    expect(codeOf(await check())).toBe(100);
  });

  test('GC removes what is not in the list, nothing without a list, everything with an empty one', async () => {
    const node = await common();
    for (const pod of ['one', 'two', 'three']) await node.addPod(pod);
    expect((await node.cni('GC', {})).exit).toBe(0);
    expect(node.records()).toHaveLength(3);
    const valid = [
      { containerID: 'container-one', ifname: 'eth0' },
      { containerID: 'container-two', ifname: 'eth0' },
    ];
    expect((await node.cni('GC', {}, { 'cni.dev/valid-attachments': valid })).exit).toBe(0);
    expect(node.podRoutes()).toHaveLength(2);
    expect((await node.cni('GC', {}, { name: 'other', 'cni.dev/attachments': [] })).exit).toBe(0);
    expect(node.records()).toHaveLength(2);
    expect((await node.cni('GC', {}, { 'cni.dev/attachments': [] })).exit).toBe(0);
    expectNothingLeft(node);
  });
});

test('a pipe, a socket or a circle of links for a namespace is refused, and the agent goes on', async () => {
  const node = await start();
  execFileSync('mkfifo', [join(node.folder, 'pipe')]);
  symlinkSync('circle', join(node.folder, 'circle'));
  for (const path of [join(node.folder, 'pipe'), join(node.folder, 'circle'), join(node.config.runDir, 'cni.sock')])
    expect(codeOf(await node.cni('ADD', { ...node.variables('one'), CNI_NETNS: path })), path).toBe(4);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
});
