import { mkdir, mkdtemp, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeFrame, errorText } from '../protocol.ts';
import type { Reply } from '../server.ts';
import { largestEntry } from './entry.ts';
import { replayQueue } from './replay.ts';
import type { QueuedCall } from './replay.ts';

let folder = '';
let queue = '';
let performed: string[] = [];
let counted: Record<string, number> = {};
/** How a call is answered. */
let answer: (call: QueuedCall) => Reply = () => ({ exit: 0, stdout: '' });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-replay-'));
  queue = join(folder, 'queue');
  await mkdir(queue);
  performed = [];
  counted = {};
  answer = () => ({ exit: 0, stdout: '' });
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function nameOf(call: QueuedCall): string {
  return `${call.variables['CNI_COMMAND'] ?? ''} ${call.variables['CNI_CONTAINERID'] ?? ''}`.trim();
}

async function replay(): Promise<number> {
  return await replayQueue({
    folder: queue,
    refusedFolder: join(folder, 'refused'),
    perform: (call) => {
      performed.push(nameOf(call));
      return Promise.resolve(answer(call));
    },
    count: (result) => {
      counted[result] = (counted[result] ?? 0) + 1;
    },
    log: pino({ level: 'silent' }),
  });
}

function frame(command: string, containerID: string, header: object = { protocol: 1 }): Uint8Array {
  const variables = { CNI_COMMAND: command, CNI_CONTAINERID: containerID, CNI_IFNAME: 'eth0' };
  return encodeFrame(
    { ...(header as { protocol: number }), variables },
    new TextEncoder().encode(JSON.stringify({ name: 'berth' })),
  );
}

/** Queues a call as if at that second. */
async function put(name: string, content: Uint8Array, second: number): Promise<void> {
  await writeFile(join(queue, name), content);
  await utimes(join(queue, name), second, second);
}

test('calls are done in the order they were asked, with the time of asking, and leave the queue', async () => {
  await put('DEL,late,eth0', frame('DEL', 'late'), 3);
  await put('GC,berth', frame('GC', ''), 2);
  await put('DEL,early,eth0', frame('DEL', 'early'), 1);
  const times: number[] = [];
  answer = (call) => {
    times.push(call.since);
    return { exit: 0, stdout: '' };
  };
  expect(await replay()).toBe(0);
  expect(performed).toEqual(['DEL early', 'GC', 'DEL late']);
  expect(times).toEqual([1_000, 2_000, 3_000]);
  expect(await readdir(queue)).toEqual([]);
  expect(counted).toEqual({ done: 3 });
});

test('without a folder there is nothing to do', async () => {
  await rm(queue, { recursive: true });
  expect(await replay()).toBe(0);
});

test('what fails for a passing reason stays, what can never work is set aside', async () => {
  await put('DEL,a,eth0', frame('DEL', 'a'), 1);
  await put('DEL,b,eth0', frame('DEL', 'b'), 2);
  answer = (call) => ({ exit: 1, stdout: errorText('1.1.0', nameOf(call) === 'DEL a' ? 11 : 7, 'no') });
  expect(await replay()).toBe(1);
  expect(await readdir(queue)).toEqual(['DEL,a,eth0']);
  expect(await readdir(join(folder, 'refused'))).toEqual(['DEL,b,eth0']);
  expect(counted).toEqual({ kept: 1, refused: 1 });
});

test('a protocol of another version is done when both know one in common, else set aside', async () => {
  await put('DEL,newer,eth0', frame('DEL', 'newer', { protocol: 9, oldest: 1 }), 1);
  await put('DEL,newest,eth0', frame('DEL', 'newest', { protocol: 9, oldest: 8 }), 2);
  await replay();
  expect(performed).toEqual(['DEL newer']);
  expect(await readdir(join(folder, 'refused'))).toEqual(['DEL,newest,eth0']);
});

test.each<[string, (path: string) => unknown]>([
  ['an empty file', (path) => writeFile(path, '')],
  ['a file cut short', (path) => writeFile(path, frame('DEL', 'a').subarray(0, 40))],
  ['noise', (path) => writeFile(path, Buffer.alloc(300, 0xff))],
  ['text', (path) => writeFile(path, '{"CNI_COMMAND":"DEL","CNI_CONTAINERID":"a"}')],
  ['the call of another key', (path) => writeFile(path, frame('DEL', 'b'))],
  ['an ADD', (path) => writeFile(path, frame('ADD', 'a'))],
  ['a body that is no JSON', (path) => writeFile(path, encodeFrame({ protocol: 1, variables: {} }, Buffer.from('{')))],
  ['more than an entry can have', (path) => writeFile(path, '').then(() => truncate(path, largestEntry + 1))],
  [
    'a link to a good call',
    (path) => writeFile(join(folder, 'x'), frame('DEL', 'a')).then(() => symlink('../x', path)),
  ],
  ['a folder', (path) => mkdir(path)],
  ['a pipe', (path) => execFileSync('mkfifo', [path])],
])('%s is set aside and never done, and others are', async (_what, make) => {
  await make(join(queue, 'DEL,a,eth0'));
  await put('DEL,good,eth0', frame('DEL', 'good'), 1);
  expect(await replay()).toBe(0);
  expect(performed).toEqual(['DEL good']);
  expect(await readdir(queue)).toEqual([]);
  expect(await readdir(join(folder, 'refused'))).toEqual(['DEL,a,eth0']);
});

test('what was being written when its writer died is removed', async () => {
  await writeFile(join(queue, '.tmp-1-2'), 'half');
  await replay();
  expect([await readdir(queue), await readdir(folder)]).toEqual([[], ['queue']]);
});

test('a hundred files set aside are enough: more stay where they are', async () => {
  await mkdir(join(folder, 'refused'));
  for (let at = 0; at < 100; at++) await writeFile(join(folder, 'refused', `file${at}`), '');
  await writeFile(join(queue, 'stranger'), '');
  expect(await replay()).toBe(0);
  expect(await readdir(queue)).toEqual(['stranger']);
});
