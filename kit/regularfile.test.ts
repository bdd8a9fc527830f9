import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRegularFile } from './regularfile.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-kit-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('a file is read whole up to its limit', async () => {
  await writeFile(join(folder, 'file'), 'text');
  expect(await readRegularFile(join(folder, 'file'), 4)).toBe('text');
  await expect(readRegularFile(join(folder, 'file'), 3)).rejects.toThrow('it has 4 bytes');
});

test('what is larger, no file, or not there is refused at once', async () => {
  await writeFile(join(folder, 'large'), '');
  await truncate(join(folder, 'large'), 2 ** 40);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await expect(readRegularFile(join(folder, 'large'), 1_000)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(readRegularFile(join(folder, 'pipe'), 1_000)).rejects.toThrow('it is no file');
  await expect(readRegularFile(folder, 1_000)).rejects.toThrow('it is no file');
  await expect(readRegularFile(join(folder, 'nothing'), 1_000)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what has grown since it was looked at is read whole up to the limit, and no further', async () => {
  // The kernel says 0 bytes of it. It has some hundred, always the same.
  const text = await readFile('/proc/version', 'utf8');
  expect(await readRegularFile('/proc/version', text.length)).toBe(text);
  await expect(readRegularFile('/proc/version', 50)).rejects.toThrow('it has more than 50 bytes');
});
