// What the image engine does where the kernel says no; that it does what it says on a real one is shown in test/kernel.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import { SystemCallError } from '../linux/libc.ts';
import type { Engine } from './engine.ts';
import { imageEngine } from './imageengine.ts';
import { newObjectId } from './objectid.ts';
import { poolFolders } from './pool.ts';
import { MiB } from './quantity.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { FsType, VolumeRecord } from './volume.ts';

const poolId = '0123abcd';
const [EIO, ENOSPC] = [5, 28];
const createdAt = '2026-01-01T00:00:00.000Z';

let folder = '';
let kernel = new FakeStorageKernel(1n);
let engine: Engine;

async function start(options: ConstructorParameters<typeof FakeStorageKernel>[1] = {}): Promise<void> {
  kernel = new FakeStorageKernel(8n << 30n, options);
  const { mounts, loops, filesystems } = kernel;
  engine = await imageEngine({ mounts, loops, filesystems, folders: poolFolders(folder), atPoint: () => undefined });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-image-'));
  for (const name of ['meta', 'images', 'snapshots', 'trash', 'staging']) await mkdir(join(folder, name));
  await start();
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function volumeOf(type: FsType | 'block', changes: Partial<VolumeRecord> = {}): VolumeRecord {
  const id = newObjectId('volume', poolId, Date.now());
  return {
    id,
    name: id,
    state: 'ready',
    bytes: 512n * MiB,
    use: type === 'block' ? { kind: 'block' } : { kind: 'filesystem', type, uuid: crypto.randomUUID() },
    provisioning: 'thick',
    parameters: {},
    mutable: {},
    family: id,
    createdAt,
    ...changes,
  };
}

function snapshotOf({ id: sourceId, bytes, use, family }: VolumeRecord): SnapshotRecord {
  const id = newObjectId('snapshot', poolId, Date.now());
  return { id, name: id, state: 'creating', bytes, use, sourceId, family, reserved: true, createdAt };
}

async function staged(type: FsType | 'block'): Promise<VolumeRecord> {
  const volume = volumeOf(type);
  await engine.create(volume);
  await engine.stage(volume, join(folder, 'staging'), []);
  return volume;
}

test.each([
  ['xfs', 'shared', true],
  ['btrfs', 'shared', true],
  ['ext4', 'full', true],
] as const)('on %s copies are %s', async (pool, copies, extents) => {
  await start({ pool });
  expect(engine.offers).toMatchObject({ copies, extents, thin: true, volatile: false });
});

describe('where copies are made in full', () => {
  beforeEach(async () => {
    await start({ pool: 'ext4' });
  });

  test('the filesystem is frozen meanwhile, and thawed also when the copy fails', async () => {
    const volume = await staged('xfs');
    await engine.snapshot(volume, snapshotOf(volume));
    expect(kernel.frozen()).toEqual([]);
    kernel.failNext('copy', new SystemCallError('write', ENOSPC, 'x'));
    await expect(engine.snapshot(volume, snapshotOf(volume))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(kernel.frozen()).toEqual([]);
    kernel.failNext('freeze', new SystemCallError('FIFREEZE', EIO, 'x'));
    await expect(engine.snapshot(volume, snapshotOf(volume))).rejects.toMatchObject({ code: 'EIO' });
    expect(await readdir(join(folder, 'snapshots'))).toHaveLength(1);
  });

  test('whoever has frozen it thaws it', async () => {
    const volume = await staged('xfs');
    expect(await engine.freeze(volume)).toBe(true);
    await engine.snapshot(volume, snapshotOf(volume));
    expect(kernel.frozen()).toEqual(['/dev/loop0']);
    await engine.thaw(volume);
    expect(kernel.frozen()).toEqual([]);
  });

  test('raw block is copied only while nobody can write to it', async () => {
    const volume = await staged('block');
    const [copy, snapshot] = [volumeOf('block', { family: volume.family }), snapshotOf(volume)];
    await expect(engine.snapshot(volume, snapshot)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await expect(engine.create(copy, volume)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await engine.detach(volume);
    await engine.snapshot(volume, snapshot);
    await engine.create(copy, snapshot);
    expect(await engine.sizeOf(copy)).toBe(volume.bytes);
  });
});

test('a mount that another covers is passed over, also for thawing', async () => {
  const volume = await staged('xfs');
  const [staging, target] = [join(folder, 'staging'), join(folder, 'target')];
  await mkdir(target);
  await engine.publish(volume, { staging, target, readonly: false });
  await kernel.mounts.bind({ source: target, target: staging, readonly: true });
  expect(await engine.freeze(volume)).toBe(true);
  expect(kernel.frozen()).toEqual(['/dev/loop0']);
  await engine.thaw(volume);
  expect(kernel.frozen()).toEqual([]);
});

test('nothing is frozen where nothing is mounted', async () => {
  const volume = volumeOf('xfs');
  await engine.create(volume);
  expect(await engine.freeze(volume)).toBe(false);
  await engine.thaw(volume);
  const block = await staged('block');
  expect(await engine.freeze(block)).toBe(false);
  await engine.thaw(block);
});

test.each([
  ['check', 'FAILED_PRECONDITION'],
  ['growUnmounted', 'IO_FAILED'],
  ['mount', 'EIO'],
  ['growMounted', 'EIO'],
] as const)('a staging whose %s fails leaves nothing attached or mounted', async (effect, code) => {
  // Grown while it was not in use, and not clean: everything has to be done.
  const volume = await staged('ext4');
  kernel.reboot();
  const grown = { ...volume, bytes: 2n * volume.bytes };
  await engine.grow(grown);
  kernel.failNext(effect, Object.assign(new SystemCallError(effect, EIO, 'x'), { code }));
  await expect(engine.stage(grown, join(folder, 'staging'), [])).rejects.toMatchObject({ code });
  expect(kernel.dump()).toEqual({ loops: [], mounts: [] });
});

test.each([
  ['EINVAL', 22, ['nosuch'], /ext4 refuses the mount flags nosuch/],
  ['ENODEV', 19, [], /kernel has no ext4/],
] as const)('a mount refused with %s says what to do', async (_, errno, flags, message) => {
  const volume = volumeOf('ext4');
  await engine.create(volume);
  kernel.failNext('mount', new SystemCallError('mount', errno, 'x'));
  await expect(engine.stage(volume, join(folder, 'staging'), flags)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringMatching(message) as string,
  });
});

test('an ext4 that may not grow while it is mounted grows when it is staged next', async () => {
  await start({ ext4GrowsMounted: false });
  const volume = await staged('ext4');
  const grown = { ...volume, bytes: 2n * volume.bytes };
  await expect(engine.grow(grown)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  expect(await engine.sizeOf(grown)).toBe(grown.bytes);
  await engine.unmount(join(folder, 'staging'));
  await engine.detach(grown);
  await engine.stage(grown, join(folder, 'staging'), []);
  expect((await kernel.filesystems.stateOf('/dev/loop0'))?.bytes).toBe(grown.bytes);
  await engine.grow(grown);
});

test('a filesystem that can only be read stays as it is until it is staged for writing', async () => {
  const volume = volumeOf('xfs');
  await engine.create(volume);
  await engine.stage(volume, join(folder, 'staging'), ['ro']);
  const grown = { ...volume, bytes: 2n * volume.bytes };
  await engine.grow(grown);
  expect((await kernel.filesystems.stateOf('/dev/loop0'))?.bytes).toBe(volume.bytes);
  await engine.unmount(join(folder, 'staging'));
  await engine.stage(grown, join(folder, 'staging'), []);
  expect((await kernel.filesystems.stateOf('/dev/loop0'))?.bytes).toBe(grown.bytes);
});

test('what comes back from the trash takes nobody else’s place', async () => {
  const volume = volumeOf('block');
  await engine.create(volume);
  await engine.moveToTrash(volume);
  await kernel.filesystems.allocate(join(folder, 'images', `${volume.id}.img`), 4096n);
  await engine.restoreFromTrash(volume);
  expect(await engine.sizeOf(volume)).toBe(4096n);
  expect(await readdir(join(folder, 'trash'))).toEqual([`${volume.id}.img`]);
});
