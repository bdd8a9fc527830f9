// GC: which attachments go by which list, what of a pod with everything goes, and what is said when several cannot go.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { delCleanly, everything, expectReachable, traces } from './cni/everything.ts';
import type { Answer, TestNode } from './cni/node.ts';
import { codeOf, useNodes } from './cni/scene.ts';

const { common, make, start } = useNodes();
const well = { exit: 0, stdout: '' };

interface Key {
  readonly containerID: string;
  readonly ifname: string;
}

function key(pod: string, ifname = 'eth0'): Key {
  return { containerID: `container-${pod}`, ifname };
}

async function collect(node: TestNode, lists: Record<string, readonly Key[]>, name = 'berth'): Promise<Answer> {
  return await node.cni('GC', {}, { name, ...lists });
}

const current = 'cni.dev/valid-attachments';
const old = 'cni.dev/attachments';

test.each<[string, Record<string, readonly Key[]>, string, readonly string[]]>([
  ['the list of today', { [current]: [key('one'), key('two')] }, 'berth', ['one', 'two']],
  ['the list under its old key', { [old]: [key('one'), key('two')] }, 'berth', ['one', 'two']],
  ['both, of which that of today counts', { [current]: [key('one')], [old]: [key('two')] }, 'berth', ['one']],
  [
    'a list that has containers nobody knows',
    { [current]: [key('one'), key('nobody'), key('two', 'eth1')] },
    'berth',
    ['one'],
  ],
  ['an empty list', { [current]: [] }, 'berth', []],
  ['no list', {}, 'berth', ['one', 'three', 'two']],
  ['an empty list of another network', { [current]: [], [old]: [] }, 'other', ['one', 'three', 'two']],
])('with %s those that are not in it go, and the others live on', async (_what, lists, name, left) => {
  const node = await common();
  const addresses = new Map<string, string>();
  for (const pod of ['one', 'two', 'three']) addresses.set(pod, await node.addPod(pod));
  expect(await collect(node, lists, name)).toEqual(well);
  expect([...node.podRoutes()].sort()).toEqual(left.map((pod) => addresses.get(pod)).sort());
  expect([node.records().length, node.podLinks().length]).toEqual([left.length, left.length]);
  for (const pod of left) {
    await node.serve(pod);
    expect(await node.ask('node', addresses.get(pod) ?? '')).toBe(node.nodeAddress);
  }
  // Repeated, it finds nothing more.
  expect(await collect(node, lists, name)).toEqual(well);
  expect(node.records()).toHaveLength(left.length);
});

test('all that a pod with ports and limits has goes with it, also when its namespace has gone, and another may have it', async () => {
  const node = await start(['10.244.7.0/30', 'fd00:7::/126']);
  node.addNamespace('one');
  expect((await node.add('one', everything)).exit).toBe(0);
  node.removeNamespace('one');
  expect(await collect(node, { [current]: [] })).toEqual(well);
  expect(traces(node)).toEqual([]);
  node.addNamespace('two');
  const second = await node.add('two', everything);
  await expectReachable(node, 'two', second);
  await delCleanly(node, 'two');
});

test.each([
  ['no list', 'all'],
  ['an entry without a container', [{ ifname: 'eth0' }]],
  ['an entry with a number for a container', [{ containerID: 7, ifname: 'eth0' }]],
])('what is %s is refused with code 7, and nobody goes', async (_what, list) => {
  const node = await common();
  const one = await node.addPod('one');
  expect(codeOf(await node.cni('GC', {}, { [current]: list }))).toBe(7);
  expect(node.podRoutes()).toEqual([one]);
});

test('those that cannot go are named together, and a later GC takes them', async () => {
  const node = make();
  mkdirSync(node.config.runDir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0700', 'berth-test', node.config.runDir]);
  try {
    await node.startAgent();
    for (const pod of ['one', 'two', 'three']) await node.addPod(pod);
    const remount = (how: 'ro' | 'rw'): unknown => execFileSync('mount', ['-o', `remount,${how}`, node.config.runDir]);
    remount('ro');
    const answer = await collect(node, { [current]: [key('three')] });
    expect([answer.exit, codeOf(answer)]).toEqual([1, 11]);
    const { msg } = JSON.parse(answer.stdout) as { readonly msg: string };
    expect(msg).toMatch(/^2 of 2 attachments were not removed: .*container-.*; .*container-/);
    for (const pod of ['one', 'two']) expect(msg).toContain(`container-${pod}/eth0`);
    expect(msg).not.toContain('container-three');
    remount('rw');
    expect(await collect(node, { [current]: [key('three')] })).toEqual(well);
    expect([node.records().length, node.podLinks().length]).toEqual([1, 1]);
    await node.stopAgent();
  } finally {
    execFileSync('umount', ['--lazy', node.config.runDir]);
  }
});
