import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Latest } from '../../kit/latest.ts';
import { createLogger } from '../../kit/log.ts';
import type { Snapshot } from '../units/unit.ts';
import { createCdiFiles } from './cdifiles.ts';
import type { CdiFiles } from './cdifiles.ts';
import { state, unit } from './fake/state.ts';
import type { Holders } from './holders.ts';

let root = '';
let directory = '';
let lines: string[] = [];
let holders: Latest<Holders | undefined>;
let files: CdiFiles;
const log = createLogger(
  'info',
  new Writable({
    write: (line, _encoding, done) => {
      lines.push(String(line));
      done();
    },
  }),
);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-cdi-'));
  directory = join(root, 'cdi');
  lines = [];
  holders = new Latest<Holders | undefined>(new Map());
  files = createCdiFiles({ directory, holders, log, retryMs: 10 });
});
afterEach(async () => {
  files.stop();
  execFileSync('sh', ['-c', `umount ${directory} 2>/dev/null || true`]);
  await rm(root, { recursive: true });
});

const serial = 'berth.dev/serial';
const path = (): string => join(directory, 'berth-berth.dev_serial.json');
const snapshot = (...ids: string[]): Snapshot =>
  new Map([
    [
      serial,
      state(
        { injection: 'cdi' },
        ids.map((id) => unit(id, [`/dev/${id}`])),
      ),
    ],
  ]);
const namesIn = async (): Promise<string[]> =>
  (JSON.parse(await readFile(path(), 'utf8')) as { devices: { name: string }[] }).devices.map(({ name }) => name);
const heldBy = (resource: string): Holders =>
  new Map([[resource, new Map([['u1::0', [{ namespace: 'n', pod: 'p', container: 'c' }]]])]]);

test('the folder is made, the file follows the units, and is not touched when nothing changed', async () => {
  await files.update(snapshot('u1'));
  expect(await namesIn()).toEqual(['u1', 'u1:nodes']);
  expect(files.problemOf(serial, 'u1')).toBeUndefined();
  expect(files.problemOf(serial, 'u2')).toContain('does not name it');
  const { ino, mode } = await stat(path());
  expect(mode & 0o777).toBe(0o644);
  await files.update(snapshot('u1'));
  await files.refresh();
  expect((await stat(path())).ino).toBe(ino);
  await files.update(snapshot('u1', 'u2'));
  expect(await namesIn()).toEqual(['u1', 'u1:nodes', 'u2', 'u2:nodes']);
  expect(await readdir(directory)).toEqual(['berth-berth.dev_serial.json']);
});

test('an agent that comes after another finds its file right and leaves it', async () => {
  await files.update(snapshot('u1'));
  const { ino } = await stat(path());
  const next = createCdiFiles({ directory, holders, log });
  await next.update(snapshot('u1'));
  expect((await stat(path())).ino).toBe(ino);
  next.stop();
});

test.each([
  ['removed', () => rm(path())],
  ['changed', () => writeFile(path(), '{}')],
])('a file that somebody %s is made again', async (_what, happens) => {
  await files.update(snapshot('u1'));
  await happens();
  await files.refresh();
  expect(await namesIn()).toEqual(['u1', 'u1:nodes']);
});

test('a resource without a unit has no file: what it named may be another device tomorrow', async () => {
  await files.update(snapshot('u1'));
  holders.set(heldBy(serial));
  await files.update(snapshot());
  expect(await readdir(directory)).toEqual([]);
});

test.each([
  ['nobody holds a unit', new Map() as Holders, false],
  ['a pod holds a unit', heldBy(serial), true],
  ['nobody knows who holds what', undefined, true],
])('of a resource that is gone, while %s', async (_what, held, stays) => {
  await files.update(snapshot('u1'));
  holders.set(held);
  await files.update(new Map());
  expect(await readdir(directory)).toHaveLength(stays ? 1 : 0);
  // As soon as the pod has ended.
  holders.set(new Map());
  await files.settled();
  expect(await readdir(directory)).toEqual([]);
});

test('files of others stay, whatever they are called; half-written ones of a killed agent go', async () => {
  await mkdir(directory);
  const others = ['other.json', 'berth-mine.json', 'berth-mine.yaml', 'berth-x.json', '.tmp-other'];
  for (const name of others) await writeFile(join(directory, name), '{"kind":"berth.dev/other"}');
  await writeFile(join(directory, '.tmp-berth-x.json-0123'), '');
  await files.update(new Map());
  expect((await readdir(directory)).sort()).toEqual(others.sort());
});

test('a full folder is told once and tried again; meanwhile its units cannot be named', async () => {
  await mkdir(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'none', directory]);
  await writeFile(join(directory, 'filler'), 'x'.repeat(4096));
  await files.update(snapshot('u1'));
  await files.refresh();
  expect(files.problemOf(serial, 'u1')).toContain('ENOSPC');
  expect(files.problems.value.get(serial)).toContain('ENOSPC');
  expect(lines.filter((line) => line.includes('device.cdi_failed'))).toHaveLength(1);
  const cured = files.problems.changed;
  await rm(join(directory, 'filler'));
  await cured;
  expect(files.problemOf(serial, 'u1')).toBeUndefined();
  expect(await namesIn()).toEqual(['u1', 'u1:nodes']);
});

test('a read-only folder is told and held against the units', async () => {
  await mkdir(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', directory]);
  await files.update(snapshot('u1'));
  expect(files.problemOf(serial, 'u1')).toContain('EROFS');
});
