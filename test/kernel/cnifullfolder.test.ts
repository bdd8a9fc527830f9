// The folder of the records and the queue is full or read-only: calls say so and leave nothing half done, and afterwards all goes on.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { delCleanly, everything, expectReachable, expectWorking, traces } from './cni/everything.ts';
import { TestNode } from './cni/node.ts';
import type { Answer } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];
const well = { exit: 0, stdout: '' };

beforeAll(async () => {
  await buildExecutable(shim);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const node of nodes.splice(0)) {
    execFileSync('umount', ['--lazy', node.config.runDir]);
    node.dispose();
  }
});

async function start(): Promise<TestNode> {
  const node = new TestNode(shim, ['10.244.7.0/29', 'fd00:7::/125']);
  mkdirSync(node.config.runDir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'berth-test', node.config.runDir]);
  nodes.push(node);
  await node.startAgent();
  return node;
}

const fillerOf = (node: TestNode): string => join(node.config.runDir, 'filler');

function fill(node: TestNode): void {
  const file = openSync(fillerOf(node), 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
}

function remount(node: TestNode, how: 'ro' | 'rw'): void {
  execFileSync('mount', ['-o', `remount,${how}`, node.config.runDir]);
}

function errorOf(answer: Answer): { readonly code: number; readonly msg: string; readonly details?: string } {
  return JSON.parse(answer.stdout) as { code: number; msg: string };
}

test('full: an ADD is refused with what to do and leaves nothing, a DEL works, and with room all goes on', async () => {
  const node = await start();
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  const one = await node.add('one', everything);
  const before = traces(node);
  fill(node);
  for (let again = 0; again < 10; again++) {
    const answer = await node.add('two', {});
    expect(errorOf(answer)).toMatchObject({
      code: 5,
      msg: expect.stringMatching(
        /^cannot write .*\/attachments\/.*\.json, the record of container-two\/eth0: its file system is full: remove what fills it/,
      ) as string,
      details: expect.stringContaining('ENOSPC') as string,
    });
  }
  expect(traces(node)).toEqual(before);
  await expectReachable(node, 'one', one);
  expect(await node.del('two')).toEqual(well);
  // The record's own room is what the DEL makes; it needs none before.
  expect(await node.del('one')).toEqual(well);
  expect(traces(node)).toEqual([]);
  rmSync(fillerOf(node));
  await expectWorking(node, 'two', await node.add('two', everything));
  await delCleanly(node, 'two');
  expect(node.agentLives).toBe(true);
});

test('full from any effect of an ADD on: it is undone, or has all it needs', async () => {
  const node = await start();
  let finished = 0;
  for (let effect = 1; finished === 0; effect++) {
    node.addNamespace('pod');
    await node.doom('stop', effect);
    const answer = node.add('pod', everything);
    let answered = false;
    void answer.then(() => (answered = true));
    await vi.waitUntil(() => node.agentStopped || answered, { timeout: 30_000, interval: 5 });
    fill(node);
    node.resumeAgent();
    const { exit, stdout } = await answer;
    if (exit === 0) {
      finished = effect;
      await expectWorking(node, 'pod', await answer);
    } else {
      expect(errorOf({ exit, stdout }).code).toBe(5);
      expect(traces(node), `full from effect ${effect} on`).toEqual([]);
    }
    await node.doom('stop', 0);
    await delCleanly(node, 'pod', `full from effect ${effect} on`);
    rmSync(fillerOf(node));
    node.removeNamespace('pod');
  }
  expect(finished).toBe(11);
}, 120_000);

test('read-only: ADD and DEL are refused with what to do, the agent lives, and afterwards the same calls succeed', async () => {
  const node = await start();
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  expect((await node.add('one', everything)).exit).toBe(0);
  remount(node, 'ro');
  const refused = { code: 5, msg: expect.stringContaining('its file system is read-only') as string };
  expect(errorOf(await node.add('two'))).toMatchObject(refused);
  expect(errorOf(await node.del('one'))).toMatchObject(refused);
  expect(errorOf(await node.del('one', { CNI_NETNS: '' }))).toMatchObject(refused);
  // Whose record is there has the address still.
  expect(node.records()).toHaveLength(1);
  remount(node, 'rw');
  await delCleanly(node, 'one');
  await expectWorking(node, 'two', await node.add('two', everything));
  await delCleanly(node, 'two');
  expect(node.agentLives).toBe(true);
});

test('full while no agent runs: a DEL that cannot be queued is to be tried again, and nothing unfinished stays', async () => {
  const node = await start();
  node.addNamespace('one');
  expect((await node.add('one', everything)).exit).toBe(0);
  await node.stopAgent('SIGKILL');
  mkdirSync(join(node.config.runDir, 'queue'), { mode: 0o700 });
  fill(node);
  const answer = await node.del('one');
  expect(answer.exit).toBe(1);
  expect(errorOf(answer)).toMatchObject({ code: 11, details: expect.stringContaining('ENOSPC') as string });
  expect(readdirSync(join(node.config.runDir, 'queue'))).toEqual([]);
  // An agent starts also there, and then the DEL works.
  await node.startAgent();
  expect(await node.del('one')).toEqual(well);
  expect(traces(node)).toEqual([]);
});

test('read-only while no agent runs: a DEL is to be tried again, and an agent that starts says why it cannot', async () => {
  const node = await start();
  node.addNamespace('one');
  expect((await node.add('one', everything)).exit).toBe(0);
  await node.stopAgent('SIGKILL');
  remount(node, 'ro');
  const answer = await node.del('one');
  expect(errorOf(answer)).toMatchObject({ code: 11, details: expect.stringContaining('EROFS') as string });
  await expect(node.startAgent()).rejects.toThrow('EROFS');
  remount(node, 'rw');
  await node.startAgent();
  await delCleanly(node, 'one');
});
