// Storage on the real kernel: whole lives of volumes, and a service that is killed at every point of its journal.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { blockCapability, mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { faultPoints } from '../../csi/faultpoints.ts';
import { BerthError } from '../../kit/errors.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';

const MiB = 1024 * 1024;
const kinds = [
  ['xfs', mountCapability({ fs_type: 'xfs', mount_flags: ['noatime'] }), 320 * MiB],
  ['ext4', mountCapability({ fs_type: 'ext4' }), 64 * MiB],
  ['raw block', blockCapability(), 16 * MiB],
] as const satisfies readonly (readonly [string, VolumeCapability, number])[];

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
  host = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth') });
});
afterEach(async () => {
  await host.close();
});

interface Served {
  readonly id: string;
  readonly staging: string;
  readonly target: string;
}

/** Creates, stages and publishes the volume `name`; every step may have been done before. */
async function serveVolume(name: string, capability: VolumeCapability, bytes: number): Promise<Served> {
  const range = { required_bytes: String(bytes), limit_bytes: String(bytes) };
  const { volume } = await host.controller.CreateVolume({
    name,
    capacity_range: range,
    volume_capabilities: [capability],
  });
  const id = volume!.volume_id;
  const [staging, target] = [await host.stagingPath(name), await host.targetPath(`pod-${name}`)];
  const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
  await host.node.NodeStageVolume(common);
  await host.node.NodePublishVolume({ ...common, target_path: target });
  return { id, staging, target };
}

/**
 * Repeats a call while the volume is busy, as the kubelet does: a mount namespace that another test makes at that moment
 * holds a copy of our mounts until it has its own root.
 */
async function untilFree(call: () => Promise<unknown>): Promise<void> {
  let failure: Error | undefined;
  const busy = async (): Promise<boolean> => {
    try {
      await call();
    } catch (error) {
      if (error instanceof BerthError && error.code === 'BUSY') return true;
      // Thrown here it would only make `poll` call again until its time is over.
      failure = error instanceof Error ? error : new Error(String(error));
    }
    return false;
  };
  await expect.poll(busy, { timeout: 20_000, interval: 200 }).toBe(false);
  if (failure !== undefined) throw failure;
}

/** Unpublishes, unstages and deletes it; every step may have been done before. */
async function takeBack({ id, staging, target }: Served): Promise<void> {
  const { node, controller } = host;
  await untilFree(() => node.NodeUnpublishVolume({ volume_id: id, target_path: target }));
  await untilFree(() => node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging }));
  await untilFree(() => controller.DeleteVolume({ volume_id: id }));
  // Which waits until the space is given back.
  await controller.GetCapacity({});
}

/** Everything of ours there is: images and their devices, records, mounts below the node's folder. */
async function remains(): Promise<{ images: string[]; records: string[]; devices: string[]; mounts: string[] }> {
  const [images, records] = [
    await readdir(join(pool.path, 'berth/images')),
    await readdir(join(pool.path, 'berth/meta')),
  ];
  const devices: string[] = [];
  for (const image of [...images, ...(await readdir(join(pool.path, 'berth/trash')))]) {
    const device = await kernelLoopDevices().find(join(pool.path, 'berth/images', image));
    if (device !== undefined) devices.push(image);
  }
  const mounts = (await kernelMounts().list()).map(({ mountPoint }) => mountPoint);
  return { images, records, devices, mounts: mounts.filter((path) => path.startsWith(`${host.folder}/`)) };
}

const nothing = { images: [], records: [], devices: [], mounts: [] };

/** Writes through the target as a pod does, durably. */
async function writeThrough({ target }: Served, capability: VolumeCapability, text: string): Promise<void> {
  const file = await open(capability.block ? target : join(target, 'file'), capability.block ? 'r+' : 'w');
  await file.write(text, 0);
  await file.sync();
  await file.close();
}

async function readThrough({ target }: Served, capability: VolumeCapability, length: number): Promise<string> {
  const file = await open(capability.block ? target : join(target, 'file'), 'r');
  const buffer = Buffer.alloc(length);
  await file.read(buffer, 0, length, 0);
  await file.close();
  return buffer.toString();
}

describe.each(kinds)('%s', (_, capability, bytes) => {
  beforeEach(async () => {
    await host.start();
  });

  test('every call twice, with data, and nothing remains', async () => {
    const served = await serveVolume('v', capability, bytes);
    expect(await serveVolume('v', capability, bytes)).toEqual(served);
    await writeThrough(served, capability, 'precious');
    const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
    const total = Number(usage[0]?.total);
    expect(total).toBeGreaterThan(bytes * 0.7);
    expect(total).toBeLessThanOrEqual(bytes);
    const image = await stat(join(pool.path, 'berth/images', `${served.id}.img`));
    expect([image.size, image.blocks * 512 >= bytes]).toEqual([bytes, true]);
    await takeBack(served);
    await takeBack(served);
    expect(await remains()).toEqual(nothing);
  });

  test('data outlives the pod, the agent and the mounts', async () => {
    const served = await serveVolume('v', capability, bytes);
    await writeThrough(served, capability, 'precious');
    await host.node.NodeUnpublishVolume({ volume_id: served.id, target_path: served.target });
    await host.start();
    const unstage = { volume_id: served.id, staging_target_path: served.staging };
    await untilFree(() => host.node.NodeUnstageVolume(unstage));
    const again = await serveVolume('v', capability, bytes);
    expect(again.id).toBe(served.id);
    expect(await readThrough(again, capability, 8)).toBe('precious');
    await takeBack(again);
  });

  test('after the mounts and the device vanished, as in a reboot, the kubelet stages again', async () => {
    const served = await serveVolume('v', capability, bytes);
    await writeThrough(served, capability, 'precious');
    await host.stop();
    for (const path of (await remains()).mounts.reverse()) execFileSync('umount', [path]);
    await kernelLoopDevices().detach(join(pool.path, 'berth/images', `${served.id}.img`));
    await host.start();
    await serveVolume('v', capability, bytes);
    expect(await readThrough(served, capability, 8)).toBe('precious');
    await takeBack(served);
    expect(await remains()).toEqual(nothing);
  });
});

test('a full volume is full for its pod only, and a full pool names its figures', async () => {
  await host.start();
  const [, capability, bytes] = kinds[1];
  const served = await serveVolume('small', capability, bytes);
  await expect(writeFile(join(served.target, 'big'), Buffer.alloc(2 * bytes))).rejects.toMatchObject({
    code: 'ENOSPC',
  });
  const other = await serveVolume('other', capability, bytes);
  await writeThrough(other, capability, 'fine');
  await expect(serveVolume('huge', kinds[0][1], 4096 * MiB)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/can take a volume of [\d.]+ [MG]iB, 4 GiB asked/) as string,
  });
  const { available_capacity: available } = await host.controller.GetCapacity({});
  const whole = await serveVolume('whole', blockCapability(), Number(available));
  for (const volume of [served, other, whole]) await takeBack(volume);
  expect(await remains()).toEqual(nothing);
});

test('read-only really is, for a pod beside one that writes', async () => {
  await host.start();
  const [, capability, bytes] = kinds[1];
  const served = await serveVolume('v', capability, bytes);
  const target = await host.targetPath('reader');
  const common = { volume_id: served.id, staging_target_path: served.staging, volume_capability: capability };
  await host.node.NodePublishVolume({ ...common, target_path: target, readonly: true });
  await writeThrough(served, capability, 'text');
  expect(await readFile(join(target, 'file'), 'utf8')).toBe('text');
  await expect(writeFile(join(target, 'file'), 'no')).rejects.toMatchObject({ code: 'EROFS' });
  await host.node.NodeUnpublishVolume({ volume_id: served.id, target_path: target });
  await takeBack(served);
});

test('a target that somebody has open is busy, not lost', async () => {
  await host.start();
  const [, capability, bytes] = kinds[1];
  const served = await serveVolume('v', capability, bytes);
  const file = await open(join(served.target, 'open'), 'w');
  const unpublish = host.node.NodeUnpublishVolume({ volume_id: served.id, target_path: served.target });
  await expect(unpublish).rejects.toMatchObject({ code: 'BUSY' });
  await file.close();
  await takeBack(served);
  expect(await remains()).toEqual(nothing);
});

test('a folder of the kubelet that is not shared is refused before anything is made', async () => {
  execFileSync('mount', ['--make-private', shared.path]);
  try {
    await expect(host.start()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  } finally {
    execFileSync('mount', ['--make-shared', shared.path]);
  }
});

/** Starts the service in a process of its own that ends itself with SIGKILL at `point`; resolves when it serves. */
async function startMortal(point: string): Promise<{ readonly died: Promise<unknown> }> {
  const script = join(import.meta.dirname, 'mortalstorage.ts');
  const args = [script, host.kubeletRoot, host.pool, join(host.folder, 'run'), point];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const died = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), died]);
  return { died };
}

describe('killed at', () => {
  const [, ext4, bytes] = kinds[1];
  const ofOneVolume = faultPoints.slice(0, faultPoints.indexOf('freeze.hurried'));
  test.each(ofOneVolume)('%s, started again and asked again', async (point) => {
    const { died } = await startMortal(point);
    const life = async (): Promise<void> => {
      await takeBack(await serveVolume('v', ext4, bytes));
    };
    // The call in flight fails with the process.
    await expect(life()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await died).toEqual([null, 'SIGKILL']);
    await host.start();
    if (point.startsWith('create') || point.startsWith('stage') || point.startsWith('publish')) {
      const served = await serveVolume('v', ext4, bytes);
      await writeThrough(served, ext4, 'works');
      await takeBack(served);
    } else {
      // The kubelet and the provisioner repeat the way back; the ID is what they have.
      const [staging, target] = [await host.stagingPath('v'), await host.targetPath('pod-v')];
      for (const record of await readdir(join(pool.path, 'berth/meta'))) {
        await takeBack({ id: record.replace('.json', ''), staging, target });
      }
    }
    expect(await remains()).toEqual(nothing);
  });
});
