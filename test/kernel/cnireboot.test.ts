// A node that was switched off and on while its records stayed, as on a disk: nothing of the last boot is there but the records.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { everything, expectReachable, traces } from './cni/everything.ts';
import { TestNode, addressesOf, addressOf } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];

beforeAll(async () => {
  await buildExecutable(shim);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const node of nodes.splice(0)) node.dispose();
});

async function start(...ranges: readonly string[]): Promise<TestNode> {
  const node = new TestNode(shim, ranges);
  nodes.push(node);
  await node.startAgent();
  return node;
}

/** Takes away what a reboot does: links with their routes and neighbours, the table, the pods' namespaces. */
async function powerOff(node: TestNode, pods: readonly string[]): Promise<void> {
  await node.stopAgent('SIGKILL');
  const links = JSON.parse(node.ip('node', '-json', 'link', 'show')) as { readonly ifname: string }[];
  for (const { ifname } of links) if (/^(veth|ifb)[0-9a-f]{11}$/.test(ifname)) node.ip('node', 'link', 'del', ifname);
  for (const pod of pods) node.removeNamespace(pod);
  node.nft('flush', 'ruleset');
  expect(node.records()).toHaveLength(pods.length);
}

test('after a reboot the whole pool is free without a DEL, and late DELs of the last boot change nothing', async () => {
  const node = await start('10.244.7.0/29', 'fd00:7::/125');
  const pods = ['one', 'two', 'three', 'four', 'five'];
  for (const pod of pods) node.addNamespace(pod);
  const before = new Map<string, readonly string[]>();
  for (const pod of pods) before.set(pod, addressesOf(await node.add(pod, pod === 'one' ? everything : {})));
  await powerOff(node, pods);
  await node.startAgent();
  expect(traces(node)).toEqual([]);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
  // As many pods again, under other names; the port, too.
  const again = pods.map((pod) => `${pod}-again`);
  for (const pod of again) node.addNamespace(pod);
  const first = await node.add('one-again', everything);
  const after = [first, ...(await Promise.all(again.slice(1).map((pod) => node.add(pod))))].map(addressesOf);
  expect(after.flat().sort()).toEqual([...before.values()].flat().sort());
  for (const pod of pods) expect((await node.del(pod, { CNI_NETNS: '' })).exit).toBe(0);
  expect([node.records().length, node.podLinks().length]).toEqual([5, 5]);
  await expectReachable(node, 'one-again', first);
  for (const pod of again) expect((await node.del(pod)).exit).toBe(0);
  expect(traces(node)).toEqual([]);
});

test('the addresses of the last boot’s pods rest before another pod has them', async () => {
  const node = await start('10.244.7.0/28');
  const old: string[] = [];
  for (const pod of ['one', 'two', 'three']) old.push(await node.addPod(pod));
  await powerOff(node, ['one', 'two', 'three']);
  await node.startAgent();
  // Ten of the range's thirteen have rested.
  const pods = Array.from({ length: 10 }, (_, at) => `pod${at}`);
  for (const pod of pods) node.addNamespace(pod);
  const young = await Promise.all(pods.map(async (pod) => addressOf(await node.add(pod))));
  expect(new Set([...young, ...old]).size).toBe(13);
  // And when nothing else is free no pod waits: the one that has rested longest.
  expect(old).toContain(await node.addPod('last'));
});
