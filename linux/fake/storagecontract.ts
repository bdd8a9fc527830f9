/** What storage may rely on, as one table of cases run against the fake kernel (unit) and the real one (test/kernel). */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Filesystems } from '../filesystem.ts';
import type { LoopDevices } from '../loop.ts';
import type { Mounts } from '../mount.ts';
import type { MountEntry } from '../mountinfo.ts';

/** A kernel and an empty folder to work in; whoever made it removes the folder and what is left mounted in it. */
export interface StorageWorld {
  readonly folder: string;
  readonly mounts: Mounts;
  readonly loops: LoopDevices;
  readonly filesystems: Filesystems;
}

const uuid = '0c7d0e3e-8f5a-4c0e-9d59-0a6f3d1b2c4d';
const MiB = 1024n * 1024n;
const minimum = { xfs: 300n * MiB, ext4: 32n * MiB, btrfs: 256n * MiB } as const;

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

  test.each(['xfs', 'ext4', 'btrfs'] as const)(
    'a %s file is formatted once, attached, mounted and given back',
    async (type) => {
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
      // btrfs shows device numbers of its own: its mounts are known by their source.
      const shown = (await mounts.list()).filter((mount) => mount.mountPoint.startsWith(folder));
      const mine = shown.filter((mount) =>
        type === 'btrfs' ? mount.source === device.path : mount.device === device.device,
      );
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
    },
  );

  test('files attached at once get devices of their own', async () => {
    const { folder, filesystems, loops } = world();
    const files = ['a.img', 'b.img', 'c.img'].map((name) => join(folder, name));
    for (const file of files) await filesystems.allocate(file, MiB);
    const devices = await Promise.all(files.map((file) => loops.attach(file, { readonly: false })));
    expect(new Set(devices.map(({ path }) => path)).size).toBe(3);
    await Promise.all(files.map((file) => loops.detach(file)));
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

  test('a tmpfs has its size, grows by a remount, and is found by its device where it is shown', async () => {
    const { folder, filesystems, mounts } = world();
    const [home, target] = [join(folder, 'home'), join(folder, 'target')];
    await mkdir(home);
    await mkdir(target);
    const size = (bytes: bigint): string[] => [`size=${bytes}`, `nr_inodes=${bytes / 16384n}`, 'mode=0755', 'nosuid'];
    await mounts.mount({ source: 'name-of-it', target: home, fsType: 'tmpfs', options: size(8n * MiB) });
    await mounts.bind({ source: home, target, readonly: false, options: ['noexec'] });
    await mounts.remount({ target: home, options: size(16n * MiB) });
    await expect(mounts.remount({ target: folder, options: ['size=none'] })).rejects.toMatchObject({ code: 'EINVAL' });
    const { bytes, inodes } = await filesystems.usage(target);
    expect([bytes.total, inodes.total]).toEqual([16n * MiB, 1024n]);
    const mine = (await mounts.list()).filter(({ source }) => source === 'name-of-it');
    expect(mine.map(({ mountPoint, fsType }) => [mountPoint, fsType])).toEqual([
      [home, 'tmpfs'],
      [target, 'tmpfs'],
    ]);
    expect(mine[1]?.device).toBe(mine[0]?.device);
    await mounts.unmount(target);
    await mounts.unmount(home);
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

  const spaceOf = async (file: string): Promise<bigint> => {
    const extents = await world().filesystems.extents(file);
    return extents.reduce((sum, { length }) => sum + length, 0n);
  };

  test('a sparse file has its size and no space, until it is extended with space', async () => {
    const { folder, filesystems } = world();
    const file = join(folder, 'a.img');
    await filesystems.allocate(file, 32n * MiB, { sparse: true });
    expect((await stat(file, { bigint: true })).size).toBe(32n * MiB);
    expect(await spaceOf(file)).toBe(0n);
    await filesystems.extend(file, 40n * MiB, { sparse: true });
    await filesystems.extend(file, 36n * MiB, { sparse: true });
    expect([(await stat(file, { bigint: true })).size, await spaceOf(file)]).toEqual([40n * MiB, 0n]);
    await filesystems.extend(file, 48n * MiB);
    await filesystems.extend(file, 44n * MiB);
    expect([(await stat(file, { bigint: true })).size, await spaceOf(file)]).toEqual([48n * MiB, 48n * MiB]);
  });

  test('what cannot be had is not had in part', async () => {
    const { folder, filesystems } = world();
    const [file, target] = [join(folder, 'a.img'), join(folder, 'b.img')];
    await filesystems.allocate(file, 32n * MiB);
    const { bytes } = await filesystems.usage(folder);
    await expect(filesystems.extend(file, bytes.total + MiB)).rejects.toMatchObject({
      code: expect.stringMatching(/^(ENOSPC|EFBIG)$/) as unknown,
    });
    expect((await stat(file, { bigint: true })).size).toBe(32n * MiB);
    for (const way of ['clone', 'copy'] as const) {
      await expect(filesystems[way](join(folder, 'missing'), target)).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(filesystems[way](file, file)).rejects.toMatchObject({ code: 'EEXIST' });
    }
  });

  test('a clone shares its bytes or is refused, a copy has its own', async () => {
    const { folder, filesystems } = world();
    const [file, clone, copy] = [join(folder, 'a.img'), join(folder, 'b.img'), join(folder, 'c.img')];
    await filesystems.allocate(file, 32n * MiB);
    await filesystems.format(file, { type: 'ext4', uuid });
    const { reflink } = await filesystems.abilitiesOf(folder);
    const places = async (of: string): Promise<string[]> =>
      // What was never written need not be the same: XFS leaves it out.
      (await filesystems.extents(of))
        .filter(({ unwritten }) => !unwritten)
        .map(({ logical, physical, length }) => `${logical}+${length}@${physical}`);
    if (reflink) {
      await filesystems.clone(file, clone);
      expect(await filesystems.identify(clone)).toEqual({ kind: 'filesystem', type: 'ext4', uuid });
      expect((await stat(clone, { bigint: true })).size).toBe(32n * MiB);
      expect((await stat(clone)).mode & 0o777).toBe(0o600);
      expect(await places(clone)).toEqual(await places(file));
    } else {
      await expect(filesystems.clone(file, clone)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      await expect(stat(clone)).rejects.toMatchObject({ code: 'ENOENT' });
    }
    await filesystems.copy(file, copy);
    expect(await filesystems.identify(copy)).toEqual({ kind: 'filesystem', type: 'ext4', uuid });
    expect((await stat(copy, { bigint: true })).size).toBe(32n * MiB);
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
  });

  test.each(['xfs', 'ext4', 'btrfs'] as const)('a %s grows with its file and device', async (type) => {
    const { folder, filesystems, loops, mounts } = world();
    const [file, staging] = [join(folder, 'a.img'), join(folder, 'staging')];
    await mkdir(staging);
    await loops.grow(await madeFile(file, minimum[type]));
    await filesystems.format(file, { type, uuid });
    const size = async (): Promise<bigint | undefined> => (await filesystems.stateOf(file))?.bytes;
    expect(await filesystems.stateOf(file)).toEqual({ type, bytes: minimum[type], clean: true, faulty: false });
    const device = await loops.attach(file, { readonly: false });
    await filesystems.growUnmounted(device.path);
    expect(await size()).toBe(minimum[type]);

    await filesystems.extend(file, minimum[type] + 64n * MiB);
    // As after a crash: the device that is there takes the file's size.
    expect(await loops.attach(file, { readonly: false })).toEqual(device);
    await filesystems.check(device.path);
    await filesystems.growUnmounted(device.path);
    expect(await size()).toBe(minimum[type] + (type === 'ext4' ? 64n : 0n) * MiB);
    await mounts.mount({ source: device.path, target: staging, fsType: type, options: [] });
    const place = await topmost(staging);
    await filesystems.growMounted(place, device.path);
    await filesystems.growMounted(place, device.path);

    await filesystems.extend(file, minimum[type] + 128n * MiB);
    await loops.grow(file);
    const online = await filesystems.growMounted(place, device.path).then(
      () => 'grown',
      (error: unknown) => (error as { code?: unknown }).code,
    );
    // Without CAP_SYS_RESOURCE an ext4 has to wait for its next staging.
    expect(online === 'grown' || (type === 'ext4' && online === 'FAILED_PRECONDITION')).toBe(true);
    await mounts.unmount(staging);
    await filesystems.growUnmounted(device.path);
    await loops.detach(file);
    expect(await filesystems.stateOf(file)).toEqual({
      type,
      bytes: minimum[type] + 128n * MiB,
      clean: true,
      faulty: false,
    });
  });

  const topmost = async (path: string): Promise<MountEntry> => {
    const place = (await world().mounts.list()).findLast(({ mountPoint }) => mountPoint === path);
    if (place === undefined) throw new Error(`nothing is mounted at ${path}`);
    return place;
  };

  const madeFile = async (file: string, bytes: bigint): Promise<string> => {
    await world().filesystems.allocate(file, bytes);
    return file;
  };

  test.each(['xfs', 'ext4', 'btrfs'] as const)('a %s is frozen once and thawed once', async (type) => {
    const { folder, filesystems, loops, mounts } = world();
    const [file, staging] = [await madeFile(join(folder, 'a.img'), minimum[type]), join(folder, 'staging')];
    await mkdir(staging);
    await filesystems.format(file, { type, uuid });
    const device = await loops.attach(file, { readonly: false });
    await filesystems.writeBack(device.path);
    await mounts.mount({ source: device.path, target: staging, fsType: type, options: [] });
    const place = await topmost(staging);
    expect(await filesystems.thaw(place)).toBe(false);
    expect(await filesystems.freeze(place)).toBe(true);
    expect(await filesystems.freeze(place)).toBe(false);
    const snapshot = join(folder, 'b.img');
    await filesystems.copy(file, snapshot);
    expect(await filesystems.thaw(place)).toBe(true);
    expect(await filesystems.thaw(place)).toBe(false);
    expect(await filesystems.stateOf(snapshot)).toMatchObject({ type, clean: true });

    // Not what lies over the mount: that could be the whole node.
    await mounts.bind({ source: staging, target: staging, readonly: false });
    await expect(filesystems.freeze(place)).rejects.toMatchObject({ code: 'BUSY' });
    await mounts.unmount(staging);
    await mounts.unmount(staging);
    await loops.detach(file);
  });

  test('a folder that files are overwritten in place in stays so', async () => {
    const { folder, filesystems } = world();
    await filesystems.overwriteInPlace(folder);
    await filesystems.overwriteInPlace(folder);
    expect(await readdir(folder)).toEqual([]);
    const { type, reflink } = await filesystems.abilitiesOf(folder);
    if (type === 'btrfs') expect(reflink).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });
}
