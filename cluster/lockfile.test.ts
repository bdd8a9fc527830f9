import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLockFile } from './lockfile.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockfile-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('only one holds the lock at a time, and its file goes with it', async () => {
  const path = join(folder, 'lock');
  const order: string[] = [];
  const waited: number[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = withLockFile(
    path,
    () => undefined,
    async () => {
      order.push('first begins');
      await released;
      order.push('first ends');
    },
  );
  const second = withLockFile(
    path,
    (pid) => {
      waited.push(pid);
      release();
    },
    () => Promise.resolve(order.push('second')),
  );
  await Promise.all([first, second]);
  expect(order).toEqual(['first begins', 'first ends', 'second']);
  expect(waited).toEqual([process.pid]);
  expect(existsSync(path)).toBe(false);
});

test.each([
  ['a dead process', JSON.stringify({ pid: process.pid, startTime: '1' })],
  ['nobody', 'rubbish'],
])('a lock held by %s is taken over', async (_, content) => {
  const path = join(folder, 'lock');
  writeFileSync(path, content);
  expect(
    await withLockFile(
      path,
      () => expect.unreachable(),
      () => Promise.resolve('done'),
    ),
  ).toBe('done');
});

test('the lock is released when the work fails', async () => {
  const path = join(folder, 'lock');
  await expect(
    withLockFile(
      path,
      () => undefined,
      () => Promise.reject(new Error('no')),
    ),
  ).rejects.toThrow('no');
  expect(existsSync(path)).toBe(false);
});
