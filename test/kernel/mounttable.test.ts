// The mount table as it is kept between changes: whatever any process does to it is seen at once.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kernelMounts } from '../../linux/mount.ts';
import type { MountEntry } from '../../linux/mountinfo.ts';

const mounts = kernelMounts();
let folder = '';
let one = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-table-'));
  one = join(folder, 'one');
  await mkdir(one);
});
afterEach(async () => {
  for (const { mountPoint } of (await mounts.listNow()).filter(isMine).reverse()) await mounts.unmount(mountPoint);
  await rm(folder, { recursive: true });
});

function isMine({ mountPoint }: MountEntry): boolean {
  return mountPoint.startsWith(`${folder}/`);
}

/** What is there now, which both ways show alike. */
async function shown(): Promise<readonly MountEntry[]> {
  const mine = (await mounts.list()).filter(isMine);
  expect(mine).toEqual((await mounts.listNow()).filter(isMine));
  return mine;
}

test('what another process mounts, changes, moves and takes away is seen in the next look', async () => {
  const two = join(folder, 'two');
  await mkdir(two);
  expect(await shown()).toEqual([]);
  execFileSync('mount', ['-t', 'tmpfs', 'berth-table', one]);
  expect(await shown()).toMatchObject([{ mountPoint: one, source: 'berth-table', options: ['rw', 'relatime'] }]);
  execFileSync('mount', ['-o', 'remount,bind,ro,nosuid', one]);
  expect((await shown())[0]?.options).toEqual(expect.arrayContaining(['ro', 'nosuid']));
  execFileSync('mount', ['--bind', one, two]);
  expect(await shown()).toHaveLength(2);
  execFileSync('umount', ['--lazy', one]);
  expect(await shown()).toMatchObject([{ mountPoint: two }]);
  execFileSync('umount', [two]);
  expect(await shown()).toEqual([]);
});

test('what changes without the table is shown by who looks now', async () => {
  const now = async (): Promise<MountEntry | undefined> => (await mounts.listNow()).find(isMine);
  execFileSync('mount', ['-t', 'tmpfs', 'berth-table', one]);
  expect((await shown())[0]?.superOptions).toContain('rw');
  execFileSync('unshare', ['--mount', 'mount', '-o', 'remount,ro', one]);
  const changed = await now();
  expect(changed?.superOptions).toContain('ro');
  expect(changed?.options).toContain('rw');
  execFileSync('mount', ['--make-private', one]);
  expect((await now())?.tags).toEqual([]);
  execFileSync('mount', ['--make-shared', one]);
  expect((await now())?.tags).toEqual([expect.stringContaining('shared:')]);
});

test('while nothing changes the table is read once', async () => {
  // Other processes of this machine mount, too.
  await expect.poll(async () => (await mounts.list()) === (await mounts.list())).toBe(true);
});
