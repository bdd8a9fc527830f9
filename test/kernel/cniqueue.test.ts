// Pods that end while no agent runs: the executable queues what the runtime asks, and the next agent does it first.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { mostEntries } from '../../cni/queue/entry.ts';
import { TestNode, addressOf } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const well = { exit: 0, stdout: '' };
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

async function start(podCIDR?: string): Promise<TestNode> {
  const node = new TestNode(shim, podCIDR);
  nodes.push(node);
  await node.startAgent();
  return node;
}

function queued(node: TestNode): readonly string[] {
  return readdirSync(join(node.config.runDir, 'queue')).sort();
}

/** A queued DEL is done when nothing leads to the pod any more, as one that is answered: its link and its record go behind that. */
async function expectNothingLeft(node: TestNode): Promise<void> {
  await vi.waitUntil(() => node.records().length === 0, { timeout: 20_000, interval: 10 });
  expect([node.podLinks(), node.podRoutes(), node.records(), queued(node)]).toEqual([[], [], [], []]);
}

function codeOf({ stdout }: { readonly stdout: string }): unknown {
  return (JSON.parse(stdout) as { readonly code?: number }).code;
}

test('a DEL without the agent succeeds, also repeated, and the next agent has done it before it serves an ADD', async () => {
  const node = await start('10.244.7.0/30');
  await node.addPod('one');
  await node.stopAgent('SIGKILL');
  expect(await node.del('one')).toEqual(well);
  expect(await node.del('one', { CNI_NETNS: '' })).toEqual(well);
  expect(queued(node)).toEqual(['DEL,container-one,eth0']);
  const file = statSync(join(node.config.runDir, 'queue', 'DEL,container-one,eth0'));
  expect(file.mode & 0o777).toBe(0o600);
  // The namespace stays, as it does where the runtime is still about to remove it: only the queue tells that the pod ended.
  node.addNamespace('two');
  const waiting = node.add('two');
  await node.startAgent();
  // The range has one address.
  expect(addressOf(await waiting)).toBe('10.244.7.2');
  expect(queued(node)).toEqual([]);
  expect(await node.del('two')).toEqual(well);
  await expectNothingLeft(node);
});

test('thirty pods that end while no agent runs leave nothing', async () => {
  const node = await start();
  const pods = Array.from({ length: 30 }, (_, at) => `pod${at}`);
  for (const pod of pods) node.addNamespace(pod);
  await Promise.all(pods.map((pod) => node.add(pod)));
  await node.stopAgent();
  expect(await Promise.all(pods.map((pod) => node.del(pod)))).toEqual(pods.map(() => well));
  expect(queued(node)).toHaveLength(30);
  await node.startAgent();
  await expectNothingLeft(node);
  expect(await node.stopAgent()).toContain('berth_cni_queue_replayed_total{result="done"} 30');
});

test('a GC without the agent is done by the next one, and spares what was in its list', async () => {
  const node = await start();
  const one = await node.addPod('one');
  await node.addPod('two');
  await node.stopAgent();
  const valid = [{ containerID: 'container-one', ifname: 'eth0' }];
  expect(await node.cni('GC', {}, { 'cni.dev/valid-attachments': valid })).toEqual(well);
  await node.startAgent();
  expect(node.podRoutes()).toEqual([one]);
  await node.serve('one');
  expect(await node.ask('node', one)).toBe(node.nodeAddress);
});

test('what somebody put into the queue is set aside and told, and the agent serves', async () => {
  const node = await start();
  const one = await node.addPod('one');
  await node.stopAgent();
  expect(await node.del('nobody')).toEqual(well);
  writeFileSync(join(node.config.runDir, 'queue', 'DEL,container-one,eth0'), Buffer.alloc(200, 0xff));
  writeFileSync(join(node.config.runDir, 'queue', 'notes'), 'text');
  await node.startAgent();
  expect(queued(node)).toEqual([]);
  expect(readdirSync(join(node.config.runDir, 'refused')).sort()).toEqual(['DEL,container-one,eth0', 'notes']);
  expect(node.agentLog).toContain('is no call and was set aside');
  expect(node.podRoutes()).toEqual([one]);
});

test('a DEL that cannot be queued is to be tried later', async () => {
  const node = await start();
  await node.addPod('one');
  await node.stopAgent();
  writeFileSync(join(node.config.runDir, 'queue'), 'a file where the folder should be');
  const answer = await node.del('one');
  expect([answer.exit, codeOf(answer)]).toEqual([1, 11]);
  expect(answer.stdout).toContain('the berth agent is not running');
  rmSync(join(node.config.runDir, 'queue'));
  const hostile = await node.del('one', { CNI_CONTAINERID: '../../one' });
  expect([hostile.exit, codeOf(hostile)]).toEqual([1, 11]);
  expect(await node.del('one')).toEqual(well);
  await node.startAgent();
  await expectNothingLeft(node);
});

test('a queue that is full takes no further pod’s DEL, which is to be tried later, and still takes that of one it has', async () => {
  const node = await start();
  for (const pod of ['one', 'two']) await node.addPod(pod);
  await node.stopAgent();
  expect(await node.del('one')).toEqual(well);
  const others = Array.from({ length: mostEntries - 1 }, (_, at) =>
    join(node.config.runDir, 'queue', `DEL,c${at},eth0`),
  );
  for (const path of others) writeFileSync(path, '');
  const refused = await node.del('two');
  expect([refused.exit, codeOf(refused)]).toEqual([1, 11]);
  expect(refused.stdout).toContain(`is full: ${mostEntries} calls wait in it`);
  expect(await node.del('one')).toEqual(well);
  expect(queued(node)).toHaveLength(mostEntries);
  for (const path of others) rmSync(path);
  expect(await node.del('two')).toEqual(well);
  await node.startAgent();
  await expectNothingLeft(node);
});
