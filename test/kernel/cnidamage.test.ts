// Records that something damaged while no agent ran: the pods live on, nobody gets what they have, and a DEL ends them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { recordName } from '../../cni/attachment.ts';
import { buildExecutable } from '../../scripts/executable.ts';
import { traces } from './cni/everything.ts';
import { TestNode, addressesOf } from './cni/node.ts';

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

const damages: Readonly<Record<string, (text: string) => string>> = {
  emptied: () => '',
  cut: (text) => text.slice(0, -1),
  address: (text) => text.replace(/10\.244\.7\.\d/, '10.244.7.10'),
  address6: (text) => text.replace(/fd00:7::\d/, 'fd00:7::a'),
  // Picked at random, so that it may begin with any digit.
  index: (text) => text.replace(/"index":(\d)/, (_, digit) => `"index":${digit === '9' ? '8' : '9'}`),
  path: (text) => text.replace('/run/netns/', '/run/netnt/'),
  state: (text) => text.replace('"active"', '"reserved"'),
  older: (text) => text.replace('"format":4', '"format":1'),
  newer: (text) => text.replace('"format":4', '"format":5'),
  foreign: () => '[{"not":"ours"}]',
};

test('a pod of a damaged record keeps its connection and its addresses, which nobody else gets, until its DEL', async () => {
  const node = new TestNode(shim, ['10.244.7.0/28', 'fd00:7::/124']);
  nodes.push(node);
  await node.startAgent();
  const pods = Object.keys(damages);
  const taken = new Map<string, readonly string[]>();
  for (const pod of pods) {
    node.addNamespace(pod);
    taken.set(pod, addressesOf(await node.add(pod)));
  }
  const held = new Map<string, Awaited<ReturnType<TestNode['hold']>>>();
  for (const pod of pods) {
    await node.serve(pod);
    held.set(pod, await node.hold('node', taken.get(pod)?.[0] ?? ''));
  }
  await node.stopAgent('SIGKILL');
  for (const [pod, damage] of Object.entries(damages)) {
    const file = join(
      node.config.runDir,
      'attachments',
      recordName({ containerID: `container-${pod}`, ifname: 'eth0' }),
    );
    const text = readFileSync(file, 'utf8');
    expect(damage(text)).not.toBe(text);
    writeFileSync(file, damage(text));
  }
  await node.startAgent();
  const said = node.agentLog.split('\n').filter((line) => line.includes('no record of an attachment that can be read'));
  expect(said).toHaveLength(pods.length);
  for (const connection of held.values()) {
    connection.process.stdin?.write('still there?\n');
    expect(await connection.line()).toBe(node.nodeAddress);
  }
  // Of thirteen addresses of each family three are free.
  const others = ['one', 'two', 'three'];
  for (const pod of others) {
    node.addNamespace(pod);
    taken.set(pod, addressesOf(await node.add(pod)));
  }
  node.addNamespace('four');
  expect((await node.add('four')).stdout).toContain('no free address');
  expect(new Set([...taken.values()].flat()).size).toBe(2 * (pods.length + others.length));
  for (const pod of [...pods, ...others]) expect(await node.del(pod), pod).toEqual({ exit: 0, stdout: '' });
  expect(traces(node)).toEqual([]);
  expect(addressesOf(await node.add('four'))).toHaveLength(2);
});
