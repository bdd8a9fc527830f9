import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

test('only one holds the lock at a time', async () => {
  const path = join(folder, 'lock');
  const order: string[] = [];
  const waited: number[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = (): void => undefined;
  const begins = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = withLockFile(
    path,
    () => undefined,
    async () => {
      order.push('first begins');
      begun();
      await released;
      order.push('first ends');
    },
  );
  await begins;
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
});

test('the lock of a process that was killed goes to one of those that wait, and then to the other', async () => {
  const path = join(folder, 'lock');
  const script = `
    import { withLockFile } from ${JSON.stringify(join(import.meta.dirname, 'lockfile.ts'))};
    await withLockFile(process.argv[1], () => undefined, () => new Promise(() => {
      process.stdout.write('held');
      setInterval(() => undefined, 1e6);
    }));`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script, path]);
  await once(holder.stdout, 'data');
  let [within, most] = [0, 0];
  const waited: number[] = [];
  const wait = (): Promise<void> =>
    withLockFile(
      path,
      (pid) => {
        waited.push(pid);
        if (waited.length === 2) holder.kill('SIGKILL');
      },
      async () => {
        within += 1;
        most = Math.max(most, within);
        await new Promise((resolve) => setImmediate(resolve));
        within -= 1;
      },
    );
  await Promise.all([wait(), wait()]);
  expect({ waited, most }).toEqual({ waited: [holder.pid, holder.pid], most: 1 });
});

test('a file that a killed process left, whatever it says, is no lock', async () => {
  const path = join(folder, 'lock');
  writeFileSync(path, 'rubbish');
  const done = await withLockFile(
    path,
    () => expect.unreachable(),
    () => Promise.resolve('done'),
  );
  expect(done).toBe('done');
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
  const next = await withLockFile(
    path,
    () => expect.unreachable(),
    () => Promise.resolve('taken'),
  );
  expect(next).toBe('taken');
});
