// The storage half of linux/ on the real kernel: the same cases as the fake, and what only a kernel can show.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { storageContract } from '../../linux/fake/storagecontract.ts';
import { kernelFilesystems } from '../../linux/filesystem.ts';
import type { FilesystemType } from '../../linux/filesystem.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';

const world = { mounts: kernelMounts(), loops: kernelLoopDevices(), filesystems: kernelFilesystems() };
const MiB = 1024n * 1024n;
const uuid = 'a3b8f2d0-1c2d-4e5f-8a9b-0c1d2e3f4a5b';
let folder = '';
let pool: ScratchPool;

/** Cases in a folder of a pool on that filesystem. */
function onPool(type: FilesystemType, cases: () => void): void {
  describe(`on a pool of ${type}`, () => {
    beforeAll(async () => {
      pool = await makeScratchPool(type, 2 ** 31);
    });
    afterAll(async () => {
      await pool.close();
    });
    beforeEach(async () => {
      // A case that fills a btrfs makes all of its disk room for data. Until its cleaner has noticed that it is empty there
      // is no room for the metadata of a folder.
      const made = async (): Promise<string> => (folder = await mkdtemp(join(pool.path, 'case-')));
      await expect.poll(made, { timeout: 60_000 }).not.toBe('');
    });
    afterEach(async () => {
      const mine = (await world.mounts.list()).filter((mount) => mount.mountPoint.startsWith(`${folder}/`));
      for (const { mountPoint } of mine.reverse()) await world.mounts.unmount(mountPoint);
      await world.loops.detach(join(folder, 'a.img')).catch(() => undefined);
      await rm(folder, { recursive: true });
    });
    cases();
  });
}

for (const type of ['xfs', 'btrfs', 'ext4'] as const) {
  onPool(type, () => {
    storageContract(() => ({ folder, ...world }));
    thickCases();
  });
}

async function allocatedBytes(file: string): Promise<bigint> {
  return (await stat(file, { bigint: true })).blocks * 512n;
}

function thickCases(): void {
  test.each(['xfs', 'ext4', 'btrfs'] as const)(
    'a thick %s image keeps its space through mkfs, writing, discard and fstrim',
    async (type) => {
      const file = join(folder, 'a.img');
      await world.filesystems.allocate(file, 320n * MiB);
      await world.filesystems.format(file, { type, uuid });
      expect(await allocatedBytes(file)).toBeGreaterThanOrEqual(320n * MiB);
      const device = await world.loops.attach(file, { readonly: false });
      const target = join(folder, 'm');
      await mkdir(target);
      await world.mounts.mount({ source: device.path, target, fsType: type, options: ['discard'] });
      await writeFile(join(target, 'data'), Buffer.alloc(32 << 20, 1));
      await rm(join(target, 'data'));
      expect(() => execFileSync('fstrim', [target], { stdio: 'pipe' })).toThrow(/not supported/);
      await world.mounts.unmount(target);
      expect(await allocatedBytes(file)).toBeGreaterThanOrEqual(320n * MiB);
    },
  );
}

onPool('xfs', () => {
  test('a device has 4096-byte sectors, direct I/O where the folder can, and no discard', async () => {
    const file = join(folder, 'a.img');
    await world.filesystems.allocate(file, 64n * MiB);
    const { number, directIo } = await world.loops.attach(file, { readonly: false });
    const queue = (name: string): Promise<string> => readFile(`/sys/block/loop${number}/queue/${name}`, 'utf8');
    expect(await queue('logical_block_size')).toBe('4096\n');
    expect(await queue('discard_max_bytes')).toBe('0\n');
    expect((await readFile(`/sys/block/loop${number}/loop/dio`, 'utf8')).trim()).toBe(directIo ? '1' : '0');
    expect(await readFile(`/sys/block/loop${number}/loop/autoclear`, 'utf8')).toBe('0\n');
  });

  test('a device may discard when asked for, also where all numbers had discards switched off', async () => {
    const file = join(folder, 'a.img');
    await world.filesystems.allocate(file, 64n * MiB);
    for (let i = 0; i < 2; i++) {
      await world.loops.attach(file, { readonly: false });
      await world.loops.detach(file);
      const { number, path } = await world.loops.attach(file, { readonly: false, discard: true });
      expect(Number(await readFile(`/sys/block/loop${number}/queue/discard_max_bytes`, 'utf8'))).toBeGreaterThan(0);
      execFileSync('blkdiscard', [path]);
      expect(await allocatedBytes(file)).toBe(0n);
      await world.loops.detach(file);
      await world.filesystems.extend(file, 64n * MiB);
    }
  });

  test('a file is found by its inode after it was renamed', async () => {
    const [file, other] = [join(folder, 'a.img'), join(folder, 'b.img')];
    await world.filesystems.allocate(file, 32n * MiB);
    await world.filesystems.allocate(other, 32n * MiB);
    const device = await world.loops.attach(file, { readonly: false });
    expect(await world.loops.find(other)).toBeUndefined();
    await rm(other);
    await rename(file, other);
    expect((await world.loops.find(other))?.number).toBe(device.number);
    await world.loops.detach(other);
  });

  test('eight attaches at once each get a device of their own', async () => {
    const files = Array.from({ length: 8 }, (_, i) => join(folder, `${i}.img`));
    for (const file of files) await world.filesystems.allocate(file, 1n * MiB);
    const devices = await Promise.all(files.map((file) => world.loops.attach(file, { readonly: false })));
    expect(new Set(devices.map((device) => device.number)).size).toBe(8);
    await Promise.all(files.map((file) => world.loops.detach(file)));
  });

  test('a detach waits for nobody who keeps the device open, and says so', async () => {
    const file = join(folder, 'a.img');
    await world.filesystems.allocate(file, 32n * MiB);
    const device = await world.loops.attach(file, { readonly: false });
    const holder = await open(device.path, 'r');
    await expect(world.loops.detach(file)).rejects.toMatchObject({ code: 'BUSY' });
    await holder.close();
    await world.loops.detach(file);
    expect(await world.loops.find(file)).toBeUndefined();
  });

  test('a read-only bind cannot be written to, its source can', async () => {
    const file = join(folder, 'a.img');
    await world.filesystems.allocate(file, 32n * MiB);
    await world.filesystems.format(file, { type: 'ext4', uuid });
    const device = await world.loops.attach(file, { readonly: false });
    const [staging, target] = [join(folder, 's'), join(folder, 't')];
    await mkdir(staging);
    await mkdir(target);
    await world.mounts.mount({ source: device.path, target: staging, fsType: 'ext4', options: [] });
    await world.mounts.bind({ source: staging, target, readonly: true });
    await expect(writeFile(join(target, 'x'), '')).rejects.toMatchObject({ code: 'EROFS' });
    await writeFile(join(staging, 'x'), 'y');
    expect(await readFile(join(target, 'x'), 'utf8')).toBe('y');
  });
});
