import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countedErrors, deviceNameOf } from './filesystemerrors.ts';

let sys = '';
beforeEach(async () => {
  sys = await mkdtemp(join(tmpdir(), 'bn-sys-'));
});
afterEach(async () => {
  await rm(sys, { recursive: true });
});

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(sys, path)), { recursive: true });
  await writeFile(join(sys, path), text);
}

test('ext4 counts in one file', async () => {
  await put('fs/ext4/loop3/errors_count', '7\n');
  expect(await countedErrors('ext4', 'loop3', sys)).toBe(7n);
  expect(await countedErrors('ext4', 'loop4', sys)).toBe(0n);
  await put('fs/ext4/loop3/errors_count', 'many\n');
  expect(await countedErrors('ext4', 'loop3', sys)).toBe(0n);
});

test('btrfs counts for each device of the filesystem, by kind', async () => {
  await put('fs/btrfs/features/x', '');
  const uuid = '199f7911-9d4a-40ec-802d-151995e791b7';
  await put(`fs/btrfs/${uuid}/devices/loop3`, '');
  await put(`fs/btrfs/${uuid}/devinfo/1/error_stats`, 'write_errs 1\nread_errs 0\nflush_errs 2\ncorruption_errs 0\n');
  await put(`fs/btrfs/${uuid}/devinfo/2/error_stats`, 'write_errs 0\nread_errs 4\n');
  expect(await countedErrors('btrfs', 'loop3', sys)).toBe(7n);
  expect(await countedErrors('btrfs', 'loop4', sys)).toBe(0n);
});

test('others count nothing', async () => {
  expect(await countedErrors('xfs', 'loop3', sys)).toBe(0n);
  expect(await countedErrors('../..', '../..', sys)).toBe(0n);
});

test('the device of a mount is found by its number, that of btrfs by its source', async () => {
  await mkdir(join(sys, 'devices/loop3'), { recursive: true });
  await mkdir(join(sys, 'dev/block'), { recursive: true });
  await symlink('../../devices/loop3', join(sys, 'dev/block/7:3'));
  await put('devices/sdb', '');
  expect(await deviceNameOf({ fsType: 'ext4', device: '7:3', source: '/dev/root' }, sys)).toBe('loop3');
  expect(await deviceNameOf({ fsType: 'ext4', device: '7:4', source: '/dev/root' }, sys)).toBeUndefined();
  expect(await deviceNameOf({ fsType: 'btrfs', device: '0:40', source: join(sys, 'devices/sdb') }, sys)).toBe('sdb');
});
