import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { largestEntry, largestQueue, mostEntries } from '../queue/entry.ts';
import { dequeue, enqueue } from './enqueue.ts';

let folder = '';
let queue = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-enqueue-'));
  queue = join(folder, 'run', 'queue');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const bytes = new TextEncoder().encode('frame');

test('an entry is whole, closed to others, replaced by a later one, and taken out once or twice', async () => {
  await enqueue(queue, 'DEL,a,eth0', new TextEncoder().encode('earlier and longer'));
  await enqueue(queue, 'DEL,a,eth0', bytes);
  expect(await readdir(queue)).toEqual(['DEL,a,eth0']);
  expect(await readFile(join(queue, 'DEL,a,eth0'), 'utf8')).toBe('frame');
  const [of, about] = await Promise.all([stat(queue), stat(join(queue, 'DEL,a,eth0'))]);
  expect([of.mode & 0o777, about.mode & 0o777]).toEqual([0o700, 0o600]);
  await dequeue(queue, 'DEL,a,eth0');
  await dequeue(queue, 'DEL,a,eth0');
  expect(await readdir(queue)).toEqual([]);
});

test('what is too large is refused before anything is made', async () => {
  await expect(enqueue(queue, 'DEL,a,eth0', new Uint8Array(largestEntry + 1))).rejects.toThrow(
    /the queue takes 524288/,
  );
  await expect(readdir(queue)).rejects.toThrow(/ENOENT/);
});

test('a queue with too many bytes is full', async () => {
  await enqueue(queue, 'DEL,a,eth0', bytes);
  await truncate(join(queue, 'DEL,a,eth0'), largestQueue - 2);
  await expect(enqueue(queue, 'DEL,b,eth0', bytes)).rejects.toThrow(/is full: 67108862 bytes wait/);
  // Its own earlier entry does not count against it.
  await enqueue(queue, 'DEL,a,eth0', bytes);
  expect((await stat(join(queue, 'DEL,a,eth0'))).size).toBe(5);
});

test('a queue with too many entries is full, but a repeated call still replaces itself', async () => {
  await mkdir(queue, { recursive: true });
  for (let at = 0; at < mostEntries; at += 500)
    await Promise.all(Array.from({ length: 500 }, (_, of) => writeFile(join(queue, `DEL,c${at + of},eth0`), '')));
  await expect(enqueue(queue, 'DEL,one-more,eth0', bytes)).rejects.toThrow(/is full: 10000 calls wait/);
  await enqueue(queue, 'DEL,c7,eth0', bytes);
  expect(await readdir(queue)).toHaveLength(mostEntries);
}, 30_000);

test('a queue that cannot be written leaves nothing behind', async () => {
  await mkdir(join(folder, 'run'));
  await writeFile(queue, 'a file');
  await expect(enqueue(queue, 'DEL,a,eth0', bytes)).rejects.toThrow(/EEXIST|ENOTDIR/);
  expect(await readdir(join(folder, 'run'))).toEqual(['queue']);
});
