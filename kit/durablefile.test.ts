import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { changeDurably, replaceFile, temporaryPrefix, writeFileAtomic } from './durablefile.ts';

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

test('what has to come first comes before the new content is seen, and when it fails the old one stays', async () => {
  const path = join(folder, 'state.json');
  await writeFileAtomic(path, 'old', { sync: true });
  const first = Promise.withResolvers<undefined>();
  const written = writeFileAtomic(path, 'new', { sync: true, after: first.promise });
  // Prepared, and not in its place.
  await vi.waitFor(async () => {
    const [temporary = ''] = (await readdir(folder)).filter((name) => name.startsWith(temporaryPrefix));
    expect(await readFile(join(folder, temporary), 'utf8')).toBe('new');
  });
  expect(await readFile(path, 'utf8')).toBe('old');
  first.resolve(undefined);
  await written;
  expect(await readFile(path, 'utf8')).toBe('new');
  const failing = writeFileAtomic(path, 'newer', { sync: true, after: Promise.reject(new Error('not made')) });
  await expect(failing).rejects.toThrow('not made');
  expect(await readFile(path, 'utf8')).toBe('new');
  expect(await readdir(folder)).toEqual(['state.json']);
});

test('a folder that is not there is no durable change', async () => {
  const change = changeDurably([folder, join(folder, 'missing')], () => writeFile(join(folder, 'made'), ''));
  await expect(change).rejects.toMatchObject({ code: 'ENOENT' });
});
