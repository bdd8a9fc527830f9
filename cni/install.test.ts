import { execFileSync } from 'node:child_process';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { networkSchema } from './config.ts';
import { conflistText, installConflist, installExecutable } from './install.ts';
import { capabilities } from './wishes.ts';

let folder = '';
let bin = '';
let source = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-install-'));
  bin = join(folder, 'bin');
  source = join(folder, 'source');
  await writeFile(source, 'program one');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('installs, keeps what is the same, and replaces what differs by another file', async () => {
  expect(await installExecutable(source, bin)).toBe(true);
  const first = await stat(join(bin, 'berth'));
  expect(first.mode & 0o777).toBe(0o755);
  expect(await installExecutable(source, bin)).toBe(false);
  await utimes(source, 1, 1);
  expect(await installExecutable(source, bin)).toBe(false);
  await writeFile(source, 'program two');
  // A program in use keeps its file: only the name moves on.
  await link(join(bin, 'berth'), join(folder, 'running'));
  expect(await installExecutable(source, bin)).toBe(true);
  expect(await readFile(join(bin, 'berth'), 'utf8')).toBe('program two');
  expect(await readFile(join(folder, 'running'), 'utf8')).toBe('program one');
  expect((await readdir(bin)).sort()).toEqual(['berth', 'loopback']);
});

test('does not read again what has the time of its source, be that between two milliseconds', async () => {
  await utimes(source, 1_700_000_000.123_456, 1_700_000_000.123_456);
  await installExecutable(source, bin);
  const { atime, mtime } = await stat(join(bin, 'berth'));
  // Seen only by who reads it.
  await writeFile(join(bin, 'berth'), 'program 0ne');
  await utimes(join(bin, 'berth'), atime, mtime);
  expect(await installExecutable(source, bin)).toBe(false);
});

test('an executable that was made to run as its owner is replaced by one that is not', async () => {
  await installExecutable(source, bin);
  await chmod(join(bin, 'berth'), 0o6755);
  await installExecutable(source, bin);
  expect((await stat(join(bin, 'berth'))).mode & 0o7777).toBe(0o755);
  await chmod(source, 0o4755);
  await rm(join(bin, 'berth'));
  await installExecutable(source, bin);
  expect((await stat(join(bin, 'berth'))).mode & 0o7777).toBe(0o755);
});

test('gives back a lost execute permission', async () => {
  await installExecutable(source, bin);
  await chmod(join(bin, 'berth'), 0o644);
  expect(await installExecutable(source, bin)).toBe(true);
  expect((await stat(join(bin, 'berth'))).mode & 0o777).toBe(0o755);
});

test("leaves somebody's loopback plugin alone, else answers in its place", async () => {
  await installExecutable(source, bin);
  expect(await readlink(join(bin, 'loopback'))).toBe('berth');
  const other = join(folder, 'other');
  await mkdir(other);
  await writeFile(join(other, 'loopback'), 'theirs');
  await installExecutable(source, other);
  expect(await readFile(join(other, 'loopback'), 'utf8')).toBe('theirs');
});

test('a missing program is named', async () => {
  await expect(installExecutable(join(folder, 'nothing'), bin)).rejects.toMatchObject({ code: 'IO_FAILED' });
});

test('the configuration names the socket only where it is not the usual one', () => {
  const usual = JSON.parse(conflistText(networkSchema.parse({}))) as { plugins: unknown };
  expect(usual.plugins).toEqual([{ type: 'berth', capabilities }]);
  const other = JSON.parse(conflistText(networkSchema.parse({ runDir: '/run/other' }))) as { plugins: unknown };
  expect(other.plugins).toEqual([{ type: 'berth', capabilities, socket: '/run/other/cni.sock' }]);
});

test('the configuration is written once, closed to others, with nothing beside it', async () => {
  const config = networkSchema.parse({ cniConfDir: join(folder, 'net.d') });
  expect(await installConflist(config)).toBe(true);
  expect(await installConflist(config)).toBe(false);
  expect(await readdir(config.cniConfDir)).toEqual(['05-berth.conflist']);
  const path = join(config.cniConfDir, '05-berth.conflist');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await writeFile(path, '{');
  expect(await installConflist(config)).toBe(true);
  expect(await readFile(path, 'utf8')).toBe(conflistText(config));
});

test('a pipe, a huge file or a broken link in the place of the configuration is replaced', async () => {
  const config = networkSchema.parse({ cniConfDir: join(folder, 'net.d') });
  await mkdir(config.cniConfDir);
  const path = join(config.cniConfDir, '05-berth.conflist');
  const makers = [
    () => Promise.resolve(execFileSync('mkfifo', [path])),
    () => writeFile(path, '').then(() => truncate(path, 2 ** 40)),
    () => symlink('nowhere', path),
    () => symlink('05-berth.conflist', path),
  ];
  for (const make of makers) {
    await rm(path, { force: true });
    await make();
    expect(await installConflist(config)).toBe(true);
    expect(await readFile(path, 'utf8')).toBe(conflistText(config));
  }
});
