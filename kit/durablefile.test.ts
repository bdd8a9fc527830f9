import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFileAtomic } from './durablefile.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-kit-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test.each([true, false])('replaces the content and leaves no temporary file (sync %s)', async (sync) => {
  const path = join(folder, 'state.json');
  await writeFileAtomic(path, 'one', { sync });
  await writeFileAtomic(path, 'two', { sync, mode: 0o640 });
  expect(await readFile(path, 'utf8')).toBe('two');
  expect((await stat(path)).mode & 0o777).toBe(0o640);
  expect(await readdir(folder)).toEqual(['state.json']);
});

test('a failed write keeps the old content and leaves nothing beside it', async () => {
  const path = join(folder, 'taken');
  await writeFile(join(folder, 'other'), '');
  await writeFileAtomic(path, 'old', { sync: false });
  await chmod(path, 0o400);
  await expect(writeFileAtomic(join(folder, 'other', 'x'), 'new', { sync: false })).rejects.toThrow();
  expect(await readFile(path, 'utf8')).toBe('old');
  expect((await readdir(folder)).sort()).toEqual(['other', 'taken']);
});
