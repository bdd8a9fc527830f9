// Broken and hostile standard input and variables, by the executable: a code with a sentence, nothing made, the agent alive.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exchange, socketOf } from './cni/client.ts';
import type { TestNode } from './cni/node.ts';
import { expectNothingLeft, useNodes } from './cni/scene.ts';

const { common } = useNodes();

/** A configuration as text: sound, but for what a test puts into it. The socket stands first, so that the agent is found. */
function config(node: TestNode, more = ''): string {
  const socket = JSON.stringify(join(node.config.runDir, 'cni.sock'));
  return `{"socket":${socket},"cniVersion":"1.1.0","name":"berth","type":"berth"${more}}`;
}

async function expectRefused(
  node: TestNode,
  variables: Record<string, string>,
  stdin: string,
  code: number,
): Promise<void> {
  const { exit, stdout } = await node.execute('ADD', variables, stdin);
  expect(exit).toBe(1);
  const told = JSON.parse(stdout) as { readonly cniVersion: string; readonly code: number; readonly msg: string };
  expect(told).toMatchObject({ cniVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string, code });
  // A sentence that a log bears, whatever came.
  expect(told.msg).toMatch(/^[^\x00-\x1f]{10,2000}$/);
  expectNothingLeft(node);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
}

const deep = (open: string, close: string): string => open.repeat(50_000) + close.repeat(50_000);

test.each<[string, string, number]>([
  ['a deep list', `,"args":${deep('[', ']')}`, 7],
  ['a deep prevResult', `,"prevResult":{"interfaces":[{"name":${deep('[', ']')}}]}`, 7],
  ['a number for a name', ',"name":7', 7],
  ['a second name that leads out of a folder', ',"name":"../../etc"', 7],
  ['a second version that never was', ',"cniVersion":"99.0.0"', 1],
  ['a number for a version', ',"cniVersion":1.1', 7],
  ['a text for runtimeConfig', ',"runtimeConfig":"all"', 7],
  ['a list for ports', ',"runtimeConfig":{"portMappings":{"hostPort":80}}', 7],
  ['a text for a rate', ',"runtimeConfig":{"bandwidth":{"ingressRate":"1M","ingressBurst":1}}', 7],
  ['a rate that is no number', ',"runtimeConfig":{"bandwidth":{"ingressRate":1e999,"ingressBurst":1}}', 7],
  ['a text for prevResult', ',"prevResult":"none"', 7],
  ['interfaces without names', ',"prevResult":{"interfaces":[{}]}', 7],
  ['a list for dns', ',"dns":["192.0.2.53"]', 7],
])('a configuration with %s is refused', async (_what, more, code) => {
  const node = await common();
  node.addNamespace('one');
  await expectRefused(node, node.variables('one'), config(node, more), code);
});

test.each<[string, (whole: string) => string]>([
  ['nothing at all', () => ''],
  ['cut off in the middle', (whole) => whole.slice(0, -1)],
  ['followed by something else', (whole) => `${whole} true`],
  ['full of zeros', () => '\0'.repeat(10_000)],
])('a configuration that is %s is refused with code 6', async (_what, change) => {
  const node = await common();
  node.addNamespace('one');
  // Straight to its socket: the executable finds this agent by what it can read in the configuration.
  const variables = { ...node.variables('one'), CNI_COMMAND: 'ADD', CNI_PATH: '/opt/cni/bin' };
  const { exit, stdout } = await exchange(socketOf(node), { protocol: 1, variables }, change(config(node)));
  expect([exit, (JSON.parse(stdout) as { readonly code: number }).code]).toEqual([1, 6]);
  expectNothingLeft(node);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
});

test.each<[string, Record<string, string>]>([
  ['an empty name of the interface', { CNI_IFNAME: '' }],
  ['an interface that leads out of a folder', { CNI_IFNAME: '../eth0' }],
  ['two dots for an interface', { CNI_IFNAME: '..' }],
  ['a line break in the interface', { CNI_IFNAME: 'eth\n0' }],
  ['a space in the interface', { CNI_IFNAME: 'eth 0' }],
  ['letters that are no ASCII in the interface', { CNI_IFNAME: 'ethé' }],
  ['control characters in the container', { CNI_CONTAINERID: 'a\x1b[31m' }],
  ['a space for a container', { CNI_CONTAINERID: ' ' }],
  ['a container that begins with a dash', { CNI_CONTAINERID: '-rf' }],
  ['words of nft in the container', { CNI_CONTAINERID: 'x; flush ruleset' }],
  ['a namespace of 8 KiB', { CNI_NETNS: `/${'x/'.repeat(4_096)}` }],
  ['a namespace that leads out of its folder', { CNI_NETNS: '/run/netns/../../proc/1/ns/net' }],
  ['a line break in the namespace', { CNI_NETNS: '/run/netns/a\nb' }],
  ['a relative namespace', { CNI_NETNS: 'run/netns/one' }],
  ['everything empty', { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '', CNI_ARGS: '' }],
  ['nonsense for an address in CNI_ARGS', { CNI_ARGS: `IP=${'9'.repeat(4_096)}` }],
])('a call with %s is refused with code 4', async (_what, variables) => {
  const node = await common();
  node.addNamespace('one');
  await expectRefused(node, { ...node.variables('one'), ...variables }, config(node), 4);
});

test.each([
  ['100 KiB of arguments', `IgnoreUnknown=1;${'X=y;'.repeat(25_000)}`],
  ['arguments without order', ';;=;a;=b;K8S_POD_NAME=../../x;K8S_POD_NAMESPACE=\x1b[31m'],
])('with %s a pod gets its network, and no name that is none is kept', async (_what, CNI_ARGS) => {
  const node = await common();
  node.addNamespace('one');
  const answer = await node.execute('ADD', { ...node.variables('one'), CNI_ARGS }, config(node));
  expect(answer).toMatchObject({ exit: 0 });
  expect(node.agentLog).not.toContain('../../x');
  expect((await node.del('one')).exit).toBe(0);
  expectNothingLeft(node);
});
