import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchDirectory } from './directorywatch.ts';

let folder = '';
let end = new AbortController();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-watch-'));
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await rm(folder, { recursive: true, force: true });
});

const none = ['(no directory)'];

/** Watches `path` and returns a function that waits until its content is as given. */
function contents(path: string, pollMs: number): (wanted: readonly string[]) => Promise<void> {
  let seen = '';
  let check = (): void => undefined;
  watchDirectory(
    path,
    async () => {
      seen = JSON.stringify(await readdir(path).catch(() => none));
      check();
    },
    { signal: end.signal, pollMs },
  );
  return (wanted) =>
    new Promise((resolve) => {
      check = () => {
        if (seen === JSON.stringify(wanted)) resolve();
      };
      check();
    });
}

test('a change is seen by its event, long before the next certain look', async () => {
  const until = contents(folder, 3_600_000);
  await until([]);
  await writeFile(join(folder, 'a'), '');
  await until(['a']);
  await rm(join(folder, 'a'));
  await until([]);
});

test('a directory that is removed and made again is watched again', async () => {
  const path = join(folder, 'sub');
  const until = contents(path, 10);
  await until(none);
  await mkdir(path);
  await until([]);
  await rm(path, { recursive: true });
  await until(none);
  await mkdir(path);
  await writeFile(join(path, 'b'), '');
  await until(['b']);
});

test('nothing is looked at after the end', async () => {
  end.abort();
  let looks = 0;
  watchDirectory(
    folder,
    () => {
      looks++;
    },
    { signal: end.signal, pollMs: 1 },
  );
  await writeFile(join(folder, 'a'), '');
  expect(looks).toBe(0);
});
