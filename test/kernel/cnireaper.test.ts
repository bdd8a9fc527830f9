// Pods that go without a DEL while the agent runs: what they had comes back, and nothing that lives or is not ours is touched.
import { expect, test, vi } from 'vitest';
import { hostLinkName, linkAlias, linkGroup } from '../../cni/attachment.ts';
import { delCleanly, everything, expectReachable, narrow, traces } from './cni/everything.ts';
import type { TestNode } from './cni/node.ts';
import { addressesOf } from './cni/node.ts';
import { useNodes } from './cni/scene.ts';

const { make } = useNodes();

async function start(ranges: readonly string[]): Promise<TestNode> {
  const node = make(ranges);
  node.reapEveryMs = 100;
  await node.startAgent();
  return node;
}

async function soon(what: () => boolean): Promise<void> {
  await vi.waitUntil(what, { timeout: 30_000, interval: 20 });
}

test('all that a pod had comes back once its namespace has gone, and its late DEL changes nothing for who has it now', async () => {
  const node = await start(narrow);
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  const first = await node.add('one', everything);
  expect(first.exit).toBe(0);
  node.removeNamespace('one');
  await soon(() => node.records().length === 0);
  expect(traces(node)).toEqual([]);
  const second = await node.add('two', everything);
  expect(addressesOf(second)).toEqual(addressesOf(first));
  expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
  await expectReachable(node, 'two', second);
  await delCleanly(node, 'two');
  expect(await node.stopAgent()).toContain('berth_cni_reaped_total{what="attachment"} 1');
});

test('a pod that lives keeps its connection, also when the path of its namespace is all that has gone', async () => {
  const node = await start(['10.244.7.0/28', 'fd00:7::/124']);
  for (const pod of ['one', 'two', 'other']) node.addNamespace(pod);
  const [one = ''] = addressesOf(await node.add('one'));
  const [two = ''] = addressesOf(await node.add('two'));
  expect((await node.add('other')).exit).toBe(0);
  for (const pod of ['one', 'two']) await node.serve(pod);
  const held = [await node.hold('node', one), await node.hold('node', two)];
  // What listens there keeps the namespace itself.
  node.removeNamespace('two');
  node.removeNamespace('other');
  await soon(() => node.records().length === 2);
  for (const connection of held) {
    connection.process.stdin?.write('still there?\n');
    expect(await connection.line()).toBe(node.nodeAddress);
  }
  expect([...node.podRoutes()].sort()).toEqual([one, two].sort());
  expect(await node.stopAgent()).toContain('berth_cni_reaped_total{what="attachment"} 1');
});

test('a link of ours that nobody owns goes, others that look like it stay', async () => {
  const node = await start(['10.244.7.0/28']);
  await node.addPod('one');
  const key = { containerID: 'nobody', ifname: 'eth0' };
  const stray = (name: string, group: number, alias: string): void => {
    node.ip('node', 'link', 'add', name, 'group', String(group), 'type', 'ifb');
    node.ip('node', 'link', 'set', name, 'alias', alias);
  };
  stray('stranger', 0, linkAlias(key));
  stray('othername', linkGroup, linkAlias({ containerID: 'somebody', ifname: 'eth0' }));
  stray(hostLinkName(key), linkGroup, linkAlias(key));
  const links = (): readonly string[] =>
    (JSON.parse(node.ip('node', '-json', 'link', 'show')) as { readonly ifname: string }[]).map(({ ifname }) => ifname);
  await soon(() => !links().includes(hostLinkName(key)));
  expect(links()).toEqual(expect.arrayContaining(['stranger', 'othername']));
  expect(node.podLinks()).toHaveLength(1);
  expect(await node.stopAgent()).toContain('berth_cni_reaped_total{what="link"} 1');
});
