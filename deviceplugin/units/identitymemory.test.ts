import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIdentityMemory, saveIdentityMemory } from './identitymemory.ts';
import type { IdentityMemory } from './memory.ts';
import { unitId } from './unitid.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-memory-'));
  file = join(folder, 'identities.json');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const [serial, place] = [unitId('serial', 'S'), unitId('port', '1-4')];
const memory: IdentityMemory = new Map([
  ['a.b/c', [{ serial, place, holds: true }]],
  ['__proto__', [{ serial, place, holds: false }]],
]);

test('what was written is read, and nothing else is left in the folder', async () => {
  await saveIdentityMemory(file, memory);
  expect(await loadIdentityMemory(file)).toEqual({ memory, warning: undefined });
  expect(await readdir(folder)).toEqual(['identities.json']);
});

const sound = { version: 1, resources: [['a.b/c', [[serial, place, true]]]] };

test.each<[string, string, RegExp]>([
  ['an empty file', '', /cannot be read \(.*JSON/],
  ['half a file', JSON.stringify(sound).slice(0, 40), /cannot be read/],
  ['something else', '[]', /is damaged/],
  ['an ID that is a path', JSON.stringify(sound).replace(serial, '../../etc/passwd'), /is damaged/],
  ['an ID that is too long', JSON.stringify(sound).replace(serial, `${'a'.repeat(40)}-0123456789abcdef`), /is damaged/],
  ['an unknown key', JSON.stringify({ ...sound, more: 1 }), /is damaged/],
  ['a newer version', JSON.stringify({ ...sound, version: 2, more: 1 }), /is of version 2, this agent reads 1/],
])('%s is as none, with a warning', async (_what, content, warning) => {
  await writeFile(file, content);
  const loaded = await loadIdentityMemory(file);
  expect(loaded).toEqual({ memory: new Map(), warning: expect.stringMatching(warning) as string });
  expect(loaded.warning?.startsWith(file)).toBe(true);
});

test('a missing file, a folder and a pipe are as none', async () => {
  expect((await loadIdentityMemory(file)).warning).toBeUndefined();
  expect((await loadIdentityMemory(folder)).warning).toContain('cannot be read');
  execFileSync('mkfifo', [file]);
  expect((await loadIdentityMemory(file)).warning).toContain('it is no file');
});

test('a file that cannot be written leaves the old one', async () => {
  await saveIdentityMemory(file, memory);
  const before = await readFile(file, 'utf8');
  await expect(saveIdentityMemory(join(file, 'below'), new Map())).rejects.toThrow('ENOTDIR');
  expect(await readFile(file, 'utf8')).toBe(before);
});
