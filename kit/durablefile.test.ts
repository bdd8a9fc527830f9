import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceFile, writeFileAtomic } from './durablefile.ts';

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

test('replaces a small file at once, closed to others', async () => {
  const path = join(folder, 'record.json');
  replaceFile(path, 'one');
  replaceFile(path, 'two');
  expect(await readFile(path, 'utf8')).toBe('two');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['record.json']);
  expect(() => {
    replaceFile(join(path, 'x'), 'new');
  }).toThrow('ENOTDIR');
  await mkdir(join(folder, 'taken'));
  expect(() => {
    replaceFile(join(folder, 'taken'), 'new');
  }).toThrow('EISDIR');
  expect((await readdir(folder)).sort()).toEqual(['record.json', 'taken']);
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
