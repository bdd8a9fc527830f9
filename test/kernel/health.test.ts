// Health on the real kernel: what filesystems, loop devices and images look like when something has happened to them.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rmdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { blockCapability, mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { poolHealth } from '../../csi/health.ts';
import { readPoolFacts } from '../../csi/healthfacts.ts';
import { kernelFilesystems } from '../../linux/filesystem.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';

const MiB = 1024 * 1024;
let shared: SharedFolder;
let pool: ScratchPool;
let host: TestNode;

beforeAll(async () => {
  shared = await makeSharedFolder();
  pool = await makeScratchPool('xfs', 2048 * MiB);
});
afterAll(async () => {
  await pool.close();
  await shared.close();
});
beforeEach(async () => {
  host = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth'), storage: { health: 'full' } });
  await host.start();
});
afterEach(async () => {
  await host.close();
});

interface Served {
  readonly id: string;
  readonly image: string;
  readonly target: string;
  /** `/sys/block` name. */
  readonly device: string;
  readonly stage: () => Promise<void>;
  readonly unstage: () => Promise<void>;
}

async function serve(name: string, capability: VolumeCapability, bytes: number): Promise<Served> {
  const request = { name, capacity_range: { required_bytes: String(bytes) }, volume_capabilities: [capability] };
  const { volume } = await host.controller.CreateVolume(request);
  const id = volume!.volume_id;
  const image = join(pool.path, 'berth/images', `${id}.img`);
  const [staging, target] = [await host.stagingPath(name), await host.targetPath(name)];
  const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
  const stage = async (): Promise<void> => {
    await host.node.NodeStageVolume(common);
    await host.node.NodePublishVolume({ ...common, target_path: target });
  };
  const unstage = async (): Promise<void> => {
    await host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
    await host.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging });
  };
  await stage();
  const device = (await kernelLoopDevices().find(image))!;
  return { id, image, target, device: `loop${device.number}`, stage, unstage };
}

async function healthOf({ id }: Served): Promise<string[]> {
  const { volume_health } = await host.node.NodeGetVolumeHealth({ volume_id: id });
  return (volume_health?.health_statuses ?? []).map(({ status, reason }) => `${status} ${reason}`);
}

async function remove(served: Served): Promise<void> {
  await served.unstage();
  await host.controller.DeleteVolume({ volume_id: served.id });
}

const triggerError = (device: string): Promise<void> => writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, 'test');

test('an ext4 that counts errors is to be checked, and is well again after the next staging', async () => {
  const volume = await serve('v', mountCapability({ fs_type: 'ext4' }), 64 * MiB);
  expect(await healthOf(volume)).toEqual([]);
  await triggerError(volume.device);
  expect(await healthOf(volume)).toEqual(['DEGRADED FsckNeeded']);
  await volume.unstage();
  // Nobody has it: its superblock says so.
  expect(await healthOf(volume)).toEqual(['DEGRADED FsckNeeded']);
  await volume.stage();
  expect(await healthOf(volume)).toEqual([]);
  await remove(volume);
});

test('an ext4 that has become read-only after an error is told to be', async () => {
  const capability = mountCapability({ fs_type: 'ext4', mount_flags: ['errors=remount-ro'] });
  const volume = await serve('v', capability, 64 * MiB);
  await triggerError(volume.device);
  await expect(writeFile(join(volume.target, 'file'), 'x')).rejects.toMatchObject({ code: 'EROFS' });
  expect(await healthOf(volume)).toEqual(['DEGRADED FilesystemReadOnly']);
  const { volume_condition } = await host.node.NodeGetVolumeStats({
    volume_id: volume.id,
    volume_path: volume.target,
  });
  expect(volume_condition).toMatchObject({
    abnormal: true,
    message: expect.stringMatching(/has become read-only after an error.*\[FilesystemReadOnly\]/) as string,
  });
  await remove(volume);
});

test.each([
  ['xfs', 320],
  ['ext4', 64],
] as const)('an %s that has shut down answers nothing, and is told to', async (fs_type, size) => {
  const volume = await serve('v', mountCapability({ fs_type }), size * MiB);
  execFileSync('xfs_io', ['-x', '-c', 'shutdown', volume.target]);
  expect(await healthOf(volume)).toContain('INACCESSIBLE FilesystemShutDown');
  await remove(volume);
});

test('a device that is detached by hand, and one that has lost direct I/O', async () => {
  const volume = await serve('v', blockCapability(), 16 * MiB);
  execFileSync('losetup', ['--direct-io=off', `/dev/${volume.device}`]);
  expect(await healthOf(volume)).toEqual(['DEGRADED DirectIOLost']);
  execFileSync('losetup', ['--direct-io=on', `/dev/${volume.device}`]);
  expect(await healthOf(volume)).toEqual([]);
  await host.node.NodeUnpublishVolume({ volume_id: volume.id, target_path: volume.target });
  execFileSync('losetup', ['--detach', `/dev/${volume.device}`]);
  await expect.poll(() => healthOf(volume)).toEqual(['INACCESSIBLE LoopDetached']);
  await volume.stage();
  expect(await healthOf(volume)).toEqual([]);
  await remove(volume);
});

test('an image that was cut is a loss of data', async () => {
  const volume = await serve('v', blockCapability(), 16 * MiB);
  await volume.unstage();
  await truncate(volume.image, 8 * MiB);
  expect(await healthOf(volume)).toEqual(['DATA_LOSS ImageSizeMismatch']);
  await truncate(volume.image, 16 * MiB);
  expect(await healthOf(volume)).toEqual([]);
  await host.controller.DeleteVolume({ volume_id: volume.id });
});

test('a pool whose filesystem is read-only, has met errors, or is not mounted', async () => {
  const folder = await mkdtemp(join(shared.path, 'pool-'));
  const [file, path] = [join(pool.path, 'ill.img'), join(folder, 'm')];
  const [mounts, loops, filesystems] = [kernelMounts(), kernelLoopDevices(), kernelFilesystems()];
  await filesystems.allocate(file, BigInt(64 * MiB));
  await filesystems.format(file, { type: 'ext4', uuid: crypto.randomUUID() });
  const device = await loops.attach(file, { readonly: false });
  await mkdir(path);
  await mounts.mount({ source: device.path, target: path, fsType: 'ext4', options: [] });
  await writeFile(join(path, 'pool.json'), JSON.stringify({ format: 1, id: '00000000', node: 'node-a' }));
  const health = async (id = '00000000'): Promise<string[]> => {
    const facts = await readPoolFacts({ name: 'ill', path, id }, { mounts, filesystems });
    return poolHealth(facts).map(({ reason }) => reason);
  };
  expect(await health()).toEqual([]);
  expect(await health('11111111')).toEqual(['PoolMissing']);
  execFileSync('mount', ['-o', 'remount,ro', path]);
  expect(await health()).toEqual(['PoolReadOnly']);
  execFileSync('mount', ['-o', 'remount,rw', path]);
  await triggerError(`loop${device.number}`);
  expect(await health()).toEqual(['BackingDeviceErrors']);
  await mounts.unmount(path);
  expect(await health()).toEqual(['PoolMissing']);
  await loops.detach(file);
  await rmdir(path);
  await rmdir(folder);
});
