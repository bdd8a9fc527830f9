/** What storage may rely on, as one table of cases run against the fake kernel (unit) and the real one (test/kernel). */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Filesystems } from '../filesystem.ts';
import type { LoopDevices } from '../loop.ts';
import type { Mounts } from '../mount.ts';

/** A kernel and an empty folder to work in; whoever made it removes the folder and what is left mounted in it. */
export interface StorageWorld {
  readonly folder: string;
  readonly mounts: Mounts;
  readonly loops: LoopDevices;
  readonly filesystems: Filesystems;
}

const uuid = '0c7d0e3e-8f5a-4c0e-9d59-0a6f3d1b2c4d';
const MiB = 1024n * 1024n;
const minimum = { xfs: 300n * MiB, ext4: 32n * MiB } as const;

/** Declares the cases; `world` is asked for in every case, inside the case. */
export function storageContract(world: () => StorageWorld): void {
  test('an allocated file has its size, is empty, and its name cannot be taken twice', async () => {
    const { folder, filesystems } = world();
    const file = join(folder, 'a.img');
    await filesystems.allocate(file, minimum.ext4);
    expect((await stat(file, { bigint: true })).size).toBe(minimum.ext4);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await filesystems.identify(file)).toEqual({ kind: 'empty' });
    await expect(filesystems.allocate(file, minimum.ext4)).rejects.toMatchObject({ code: 'EEXIST' });
  });

  test('more than there is cannot be allocated', async () => {
    const { folder, filesystems } = world();
    const { bytes } = await filesystems.usage(folder);
    const tooMuch = filesystems.allocate(join(folder, 'a.img'), bytes.total + MiB);
    await expect(tooMuch).rejects.toMatchObject({ code: expect.stringMatching(/^(ENOSPC|EFBIG)$/) as unknown });
  });

  test.each(['xfs', 'ext4'] as const)('a %s file is formatted once, attached, mounted and given back', async (type) => {
    const { folder, filesystems, loops, mounts } = world();
    const file = join(folder, 'a.img');
    await filesystems.allocate(file, minimum[type]);
    await filesystems.format(file, { type, uuid });
    expect(await filesystems.identify(file)).toEqual({ kind: 'filesystem', type, uuid });
    await expect(filesystems.format(file, { type, uuid })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });

    expect(await loops.find(file)).toBeUndefined();
    const device = await loops.attach(file, { readonly: false });
    expect(await loops.attach(file, { readonly: false })).toEqual(device);
    await expect(loops.attach(file, { readonly: true })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await loops.find(file)).toEqual(device);
    expect(await filesystems.identify(device.path)).toEqual({ kind: 'filesystem', type, uuid });

    const [staging, target] = [join(folder, 'staging'), join(folder, 'target')];
    await mkdir(staging);
    await mkdir(target);
    const wrong = type === 'xfs' ? 'ext4' : 'xfs';
    const wrongMount = mounts.mount({ source: device.path, target: staging, fsType: wrong, options: [] });
    await expect(wrongMount).rejects.toMatchObject({ code: 'EINVAL' });
    await mounts.mount({ source: device.path, target: staging, fsType: type, options: ['nosuid'] });
    await mounts.bind({ source: staging, target, readonly: true });
    const mine = (await mounts.list()).filter((mount) => mount.device === device.device);
    expect(mine.map(({ mountPoint, fsType }) => [mountPoint, fsType])).toEqual([
      [staging, type],
      [target, type],
    ]);
    expect(mine.map(({ options }) => options.includes('ro'))).toEqual([false, true]);

    await expect(loops.detach(file)).rejects.toMatchObject({ code: 'BUSY' });
    await mounts.unmount(target);
    await expect(mounts.unmount(target)).rejects.toMatchObject({ code: 'EINVAL' });
    await mounts.unmount(staging);
    await loops.detach(file);
    await loops.detach(file);
    expect(await loops.find(file)).toBeUndefined();
    expect((await mounts.list()).filter((mount) => mount.mountPoint.startsWith(folder))).toEqual([]);
  });

  test('a device node is shown at a file', async () => {
    const { folder, filesystems, loops, mounts } = world();
    const [file, target] = [join(folder, 'a.img'), join(folder, 'node')];
    await filesystems.allocate(file, minimum.ext4);
    const device = await loops.attach(file, { readonly: false });
    await writeFile(target, '');
    await mounts.bind({ source: device.path, target, readonly: false });
    const [mount] = (await mounts.list()).filter((entry) => entry.mountPoint === target);
    expect(mount?.root).toBe(`/loop${device.number}`);
    await mounts.unmount(target);
    await loops.detach(file);
  });

  test('what is not there is named by its errno', async () => {
    const { folder, filesystems, loops, mounts } = world();
    const missing = join(folder, 'missing');
    await expect(loops.find(missing)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(mounts.unmount(missing)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(filesystems.usage(missing)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(filesystems.identify(missing)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('usage counts what was allocated', async () => {
    const { folder, filesystems } = world();
    const before = await filesystems.usage(folder);
    await filesystems.allocate(join(folder, 'a.img'), 64n * MiB);
    const after = await filesystems.usage(folder);
    expect(after.bytes.total).toBe(before.bytes.total);
    // Not the difference: XFS gives back the space of removed files a little later.
    expect(after.bytes.used).toBeGreaterThanOrEqual(64n * MiB);
    expect(after.bytes.available + after.bytes.used).toBeLessThanOrEqual(after.bytes.total);
  });
}
