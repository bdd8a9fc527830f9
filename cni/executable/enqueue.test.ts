import * as fs from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { largestEntry, largestQueue, mostEntries } from '../queue/entry.ts';
import { errnoOf } from '../../kit/errors.ts';
import { dequeue, enqueue } from './enqueue.ts';
import type { QueueHost } from './enqueue.ts';

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

/** As host.c answers: the errno, negative. */
function negative<T>(call: () => T): T | number {
  try {
    return call();
  } catch (error) {
    return -constants.errno[errnoOf(error) as 'ENOENT'];
  }
}

function done(call: () => void): number {
  return negative(() => {
    call();
    return 0;
  });
}

const host: QueueHost = {
  mkdir: (path) =>
    done(() => {
      fs.mkdirSync(path, { mode: 0o700 });
    }),
  list: (path) => negative(() => fs.readdirSync(path)),
  size: (path) => negative(() => fs.lstatSync(path).size),
  create: (path) => negative(() => fs.openSync(path, 'wx', 0o600)),
  write: (fd, buffer, offset, length) => fs.writeSync(fd, new Uint8Array(buffer, offset, length)),
  close: (fd) =>
    done(() => {
      fs.closeSync(fd);
    }),
  rename: (from, to) =>
    done(() => {
      fs.renameSync(from, to);
    }),
  unlink: (path) =>
    done(() => {
      fs.unlinkSync(path);
    }),
  nameOf: (errno) => Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? '',
  pid: () => process.pid,
  now: () => performance.now(),
};

test('an entry is whole, closed to others, replaced by a later one, and taken out once or twice', async () => {
  enqueue(host, queue, 'DEL,a,eth0', new TextEncoder().encode('earlier and longer'));
  enqueue(host, queue, 'DEL,a,eth0', bytes);
  expect(await readdir(queue)).toEqual(['DEL,a,eth0']);
  expect(await readFile(join(queue, 'DEL,a,eth0'), 'utf8')).toBe('frame');
  const [of, about] = await Promise.all([stat(queue), stat(join(queue, 'DEL,a,eth0'))]);
  expect([of.mode & 0o777, about.mode & 0o777]).toEqual([0o700, 0o600]);
  dequeue(host, queue, 'DEL,a,eth0');
  dequeue(host, queue, 'DEL,a,eth0');
  expect(await readdir(queue)).toEqual([]);
});

test('what is too large is refused before anything is made', async () => {
  expect(() => {
    enqueue(host, queue, 'DEL,a,eth0', new Uint8Array(largestEntry + 1));
  }).toThrow(/the queue takes 524288/);
  await expect(readdir(queue)).rejects.toThrow(/ENOENT/);
});

test('a queue with too many bytes is full', async () => {
  enqueue(host, queue, 'DEL,a,eth0', bytes);
  await truncate(join(queue, 'DEL,a,eth0'), largestQueue - 2);
  expect(() => {
    enqueue(host, queue, 'DEL,b,eth0', bytes);
  }).toThrow(/is full: 67108862 bytes wait/);
  // Its own earlier entry does not count against it.
  enqueue(host, queue, 'DEL,a,eth0', bytes);
  expect((await stat(join(queue, 'DEL,a,eth0'))).size).toBe(5);
});

test('a queue with too many entries is full, but a repeated call still replaces itself', async () => {
  await mkdir(queue, { recursive: true });
  for (let at = 0; at < mostEntries; at += 500)
    await Promise.all(Array.from({ length: 500 }, (_, of) => writeFile(join(queue, `DEL,c${at + of},eth0`), '')));
  expect(() => {
    enqueue(host, queue, 'DEL,one-more,eth0', bytes);
  }).toThrow(/is full: 10000 calls wait/);
  enqueue(host, queue, 'DEL,c7,eth0', bytes);
  expect(await readdir(queue)).toHaveLength(mostEntries);
}, 30_000);

test('a queue that cannot be written leaves nothing behind', async () => {
  await mkdir(join(folder, 'run'));
  await writeFile(queue, 'a file');
  expect(() => {
    enqueue(host, queue, 'DEL,a,eth0', bytes);
  }).toThrow(/EEXIST|ENOTDIR/);
  expect(await readdir(join(folder, 'run'))).toEqual(['queue']);
});
