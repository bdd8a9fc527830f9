// Snapshots, clones, groups, growth and lists over the service's socket, on a kernel that keeps state in memory.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import { blockCapability, mountCapability, TestNode } from './fake/testnode.ts';

const MiB = 1024 * 1024;
const size = 64 * MiB;
const ext4 = mountCapability({ fs_type: 'ext4' });
let kernel = new FakeStorageKernel(4n << 30n);
let host: TestNode;

beforeEach(async () => {
  kernel = new FakeStorageKernel(4n << 30n);
  host = await TestNode.make({ kernel, storage: { central: true } });
  await host.start();
});
afterEach(async () => {
  await host.close();
});

interface Wanted {
  readonly bytes?: number;
  readonly capability?: typeof ext4;
  readonly source?: object;
  readonly parameters?: Record<string, string>;
}

async function create(
  name: string,
  { bytes = size, capability = ext4, source, parameters }: Wanted = {},
): Promise<string> {
  const { volume } = await host.controller.CreateVolume({
    name,
    capacity_range: { required_bytes: String(bytes) },
    volume_capabilities: [capability],
    ...(source === undefined ? {} : { volume_content_source: source }),
    ...(parameters === undefined ? {} : { parameters }),
  });
  return volume!.volume_id;
}

async function snapshotOf(
  source_volume_id: string,
  name: string,
  parameters?: Record<string, string>,
): Promise<string> {
  const request = { source_volume_id, name, ...(parameters === undefined ? {} : { parameters }) };
  const { snapshot } = await host.controller.CreateSnapshot(request);
  return snapshot!.snapshot_id;
}

const fromSnapshot = (snapshot_id: string): object => ({ snapshot: { snapshot_id } });
const fromVolume = (volume_id: string): object => ({ volume: { volume_id } });

async function stage(id: string, name = 'v', capability = ext4): Promise<string> {
  const staging_target_path = await host.stagingPath(name);
  await host.node.NodeStageVolume({ volume_id: id, staging_target_path, volume_capability: capability });
  return staging_target_path;
}

async function available(): Promise<bigint> {
  return BigInt((await host.controller.GetCapacity({})).available_capacity);
}

describe('a snapshot', () => {
  test('taken twice is one, with what a CO needs to know', async () => {
    const volume = await create('v');
    const first = await host.controller.CreateSnapshot({ source_volume_id: volume, name: 's' });
    const again = await host.controller.CreateSnapshot({ source_volume_id: volume, name: 's' });
    expect(again).toEqual(first);
    expect(first.snapshot).toMatchObject({
      source_volume_id: volume,
      size_bytes: String(size),
      ready_to_use: true,
      group_snapshot_id: '',
    });
    expect(Number(first.snapshot?.creation_time?.seconds)).toBeGreaterThan(1.7e9);
    const other = await create('w');
    await expect(snapshotOf(other, 's')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(snapshotOf('v1-00000000-00000000000000000000000000', 't')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('outlives its source, and its restored volume outlives both', async () => {
    const before = await available();
    const volume = await create('v');
    const snapshot = await snapshotOf(volume, 's');
    await host.controller.DeleteVolume({ volume_id: volume });
    const restored = await create('r', { source: fromSnapshot(snapshot) });
    await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
    await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
    await stage(restored);
    await host.node.NodeUnstageVolume({ volume_id: restored, staging_target_path: await host.stagingPath('v') });
    await host.controller.DeleteVolume({ volume_id: restored });
    expect(await available()).toBe(before);
    for (const folder of ['meta', 'images', 'snapshots', 'trash'])
      expect(await readdir(join(host.pool, folder)), folder).toEqual([]);
  });

  test('has its space kept for it, unless its class says otherwise', async () => {
    const volume = await create('v', { bytes: 512 * MiB });
    const before = await available();
    await snapshotOf(volume, 'free', { reserve: 'none' });
    expect(await available()).toBe(before);
    await snapshotOf(volume, 'kept');
    expect(await available()).toBe(before - BigInt(512 * MiB));
    await host.start();
    await expect.poll(available).toBe(before - BigInt(512 * MiB));
  });

  test('for which there is no room is refused, and nothing is left of it', async () => {
    const volume = await create('v', { bytes: 2500 * MiB });
    await expect(snapshotOf(volume, 's')).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('[pool-full]') as string,
    });
    expect(await readdir(join(host.pool, 'snapshots'))).toEqual([]);
    expect((await host.controller.ListSnapshots({})).entries).toEqual([]);
  });

  test('of a mounted volume is taken while it is held still, and it is let go when that fails', async () => {
    const volume = await create('v');
    await stage(volume);
    kernel.failNext('clone', Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'ioctl' }));
    await expect(snapshotOf(volume, 's')).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(kernel.frozen()).toEqual([]);
    await snapshotOf(volume, 's');
    expect(kernel.frozen()).toEqual([]);
    expect(kernel.gracePeriods.said).toEqual(['hurry', 'relax', 'hurry', 'relax']);
  });

  test('hurries for no longer than the freeze, and not where an administrator does', async () => {
    const volume = await create('v');
    await stage(volume);
    kernel.failNext('freeze', Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'FIFREEZE' }));
    await expect(snapshotOf(volume, 's')).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(kernel.gracePeriods.hurried).toBe(false);
    kernel.gracePeriods.hurried = true;
    await snapshotOf(volume, 's');
    expect(kernel.gracePeriods.hurried).toBe(true);
  });

  test.each([
    [{ reserve: 'half' }, /full or none/],
    [{ resrve: 'full' }, /"resrve" is unknown/],
  ])('with the parameters %j is refused', async (parameters, message) => {
    const volume = await create('v');
    await expect(snapshotOf(volume, 's', parameters)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('a copy', () => {
  test('is what its source is, and as large as asked', async () => {
    const volume = await create('v');
    const clone = await create('c', { source: fromVolume(volume), bytes: 2 * size });
    expect(await create('c', { source: fromVolume(volume), bytes: 2 * size })).toBe(clone);
    await expect(create('c', { bytes: 2 * size })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await stage(volume, 'v');
    await stage(clone, 'c');
  });

  test.each([
    ['a smaller one', { bytes: size / 2 }, 'OUT_OF_RANGE', /ask for at least that/],
    [
      'another filesystem',
      { capability: mountCapability({ fs_type: 'xfs' }), bytes: 512 * MiB },
      'INVALID_ARGUMENT',
      /is ext4, xfs asked/,
    ],
    ['raw block', { capability: blockCapability() }, 'INVALID_ARGUMENT', /raw block asked/],
    ['another pool', { parameters: { pool: 'fast' } }, 'INVALID_ARGUMENT', /in the pool of its source/],
  ])('%s is refused', async (_, wanted, code, message) => {
    const volume = await create('v');
    const refused = create('c', { ...wanted, source: fromVolume(volume) });
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  test('of what is gone is refused', async () => {
    const volume = await create('v');
    const snapshot = await snapshotOf(volume, 's');
    await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
    await host.controller.DeleteVolume({ volume_id: volume });
    await expect(create('c', { source: fromSnapshot(snapshot) })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(create('c', { source: fromVolume(volume) })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a group', () => {
  const group = (name: string, source_volume_ids: string[]): ReturnType<typeof host.groups.CreateVolumeGroupSnapshot> =>
    host.groups.CreateVolumeGroupSnapshot({ name, source_volume_ids });

  test('is taken once, found, and deleted as a whole only', async () => {
    const volumes = [await create('a'), await create('b')];
    await stage(volumes[0]!);
    const first = await group('g', volumes);
    expect(await group('g', [...volumes].reverse())).toEqual(first);
    const { group_snapshot_id, snapshots } = first.group_snapshot!;
    expect(snapshots.map((member) => member.source_volume_id).sort()).toEqual([...volumes].sort());
    expect(snapshots.every((member) => member.group_snapshot_id === group_snapshot_id)).toBe(true);
    const snapshot_ids = snapshots.map(({ snapshot_id }) => snapshot_id);
    await expect(host.controller.DeleteSnapshot({ snapshot_id: snapshot_ids[0]! })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await host.groups.GetVolumeGroupSnapshot({ group_snapshot_id, snapshot_ids })).toEqual(first);
    const wrong = { group_snapshot_id, snapshot_ids: snapshot_ids.slice(1) };
    await expect(host.groups.GetVolumeGroupSnapshot(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(host.groups.DeleteVolumeGroupSnapshot(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await host.groups.DeleteVolumeGroupSnapshot({ group_snapshot_id, snapshot_ids });
    await host.groups.DeleteVolumeGroupSnapshot({ group_snapshot_id, snapshot_ids });
    expect(await readdir(join(host.pool, 'snapshots'))).toEqual([]);
    expect(kernel.frozen()).toEqual([]);
  });

  test('survives a restart', async () => {
    const first = await group('g', [await create('a'), await create('b')]);
    await host.start();
    const { group_snapshot_id, snapshots } = first.group_snapshot!;
    const snapshot_ids = snapshots.map(({ snapshot_id }) => snapshot_id);
    expect(await host.groups.GetVolumeGroupSnapshot({ group_snapshot_id, snapshot_ids })).toEqual(first);
  });

  test('with a member that is missing, or that nobody can hold still, is refused whole', async () => {
    const volume = await create('a');
    await expect(group('g', [volume, 'nobody'])).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    const block = await create('b', { capability: blockCapability() });
    await stage(block, 'b', blockCapability());
    await expect(group('g', [volume, block])).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('cannot be held still') as string,
    });
    await expect(group('g', [volume, volume])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect((await host.controller.ListSnapshots({})).entries).toEqual([]);
    await group('g', [volume]);
  });

  test('of other volumes under the same name is refused', async () => {
    const volumes = [await create('a'), await create('b')];
    await group('g', volumes);
    await expect(group('g', volumes.slice(1))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });
});

describe('growth', () => {
  const grow = (volume_id: string, volume_path: string, bytes: number): Promise<{ capacity_bytes: string }> =>
    host.node.NodeExpandVolume({ volume_id, volume_path, capacity_range: { required_bytes: String(bytes) } });

  test.each([
    ['ext4', ext4],
    ['raw block', blockCapability()],
  ])('of a staged %s volume, every call twice', async (_, capability) => {
    const volume = await create('v', { capability });
    const path = await stage(volume, 'v', capability);
    for (let i = 0; i < 2; i++)
      expect(await grow(volume, path, 2 * size)).toEqual({ capacity_bytes: String(2 * size) });
    expect(await grow(volume, path, size)).toEqual({ capacity_bytes: String(2 * size) });
    await host.start();
    expect((await host.controller.ControllerGetVolume({ volume_id: volume })).volume?.capacity_bytes).toBe(
      String(2 * size),
    );
  });

  test('by the controller, where it is central, of a volume nobody uses', async () => {
    const volume_id = await create('v');
    const request = { volume_id, capacity_range: { required_bytes: String(2 * size) } };
    const grown = { capacity_bytes: String(2 * size), node_expansion_required: true };
    expect(await host.controller.ControllerExpandVolume(request)).toEqual(grown);
    await stage(volume_id);
  });

  test('beyond the room is refused and leaves the volume as it was', async () => {
    const volume = await create('v');
    const path = await stage(volume);
    await expect(grow(volume, path, 8192 * MiB)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    const { volume: now } = await host.controller.ControllerGetVolume({ volume_id: volume });
    expect(now?.capacity_bytes).toBe(String(size));
    expect(await grow(volume, path, 2 * size)).toEqual({ capacity_bytes: String(2 * size) });
  });

  test('where the volume is not, and to less than it has, is refused', async () => {
    const volume = await create('v');
    const path = await stage(volume);
    await expect(grow(volume, 'some/path', 2 * size)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(grow(volume, await host.targetPath('p'), 2 * size)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const shrink = { volume_id: volume, volume_path: path, capacity_range: { limit_bytes: String(size / 2) } };
    await expect(host.node.NodeExpandVolume(shrink)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  });
});

describe('an inline ephemeral volume', () => {
  const inline = { 'csi.storage.k8s.io/ephemeral': 'true', 'csi.storage.k8s.io/pod.name': 'p' };
  const publish = async (attributes: Record<string, string> = {}): Promise<string> => {
    const target_path = await host.targetPath('pod-a');
    const volume_context = { ...inline, ...attributes };
    await host.node.NodePublishVolume({ volume_id: 'csi-0a', target_path, volume_capability: ext4, volume_context });
    return target_path;
  };

  test('is switched off by default', async () => {
    await expect(publish()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('generic ephemeral volume') as string,
    });
  });

  describe('where it is allowed', () => {
    beforeEach(async () => {
      await host.close();
      kernel = new FakeStorageKernel(4n << 30n);
      host = await TestNode.make({ kernel, storage: { ephemeral: { enabled: true, maxSize: '128Mi' } } });
      await host.start();
    });

    test('comes and goes with its pod, every call twice, over a restart', async () => {
      const before = await available();
      const target_path = await publish({ size: '64Mi' });
      await host.start();
      await publish({ size: '64Mi' });
      expect(kernel.dump().mounts).toEqual([target_path]);
      for (let i = 0; i < 2; i++) await host.node.NodeUnpublishVolume({ volume_id: 'csi-0a', target_path });
      expect(kernel.dump()).toMatchObject({ loops: [], mounts: [] });
      expect(await available()).toBe(before);
    });

    test('whose pod went while nobody served goes at the next start', async () => {
      const target_path = await publish({ size: '64Mi' });
      await host.stop();
      kernel.reboot();
      await rm(join(host.kubeletRoot, 'pods/pod-a'), { recursive: true });
      await host.start();
      expect(await readdir(join(host.pool, 'images'))).toEqual([]);
      await host.node.NodeUnpublishVolume({ volume_id: 'csi-0a', target_path });
    });

    test.each([
      [{ size: '1Gi' }, 'OUT_OF_RANGE'],
      [{ size: '$(reboot)' }, 'INVALID_ARGUMENT'],
      [{ size: '0' }, 'INVALID_ARGUMENT'],
      [{ pool: '../x' }, 'RESOURCE_EXHAUSTED'],
      [{ path: '/etc' }, 'INVALID_ARGUMENT'],
    ])('with %j is refused and leaves nothing', async (attributes, code) => {
      await expect(publish(attributes)).rejects.toMatchObject({ code });
      expect(await readdir(join(host.pool, 'images'))).toEqual([]);
    });
  });
});

test('lists come in pages', async () => {
  const volumes = [await create('a'), await create('b'), await create('c')].sort();
  const snapshots = [await snapshotOf(volumes[0]!, 's'), await snapshotOf(volumes[0]!, 't')].sort();
  const first = await host.controller.ListVolumes({ max_entries: 2 });
  const rest = await host.controller.ListVolumes({ starting_token: first.next_token });
  expect([...first.entries, ...rest.entries].map(({ volume }) => volume?.volume_id)).toEqual(volumes);
  const listed = await host.controller.ListSnapshots({ source_volume_id: volumes[0]! });
  expect(listed.entries.map(({ snapshot }) => snapshot?.snapshot_id)).toEqual(snapshots);
  expect((await host.controller.ListSnapshots({ snapshot_id: 'none' })).entries).toEqual([]);
  await expect(host.controller.ListVolumes({ starting_token: 'invalid-token' })).rejects.toMatchObject({
    code: 'BUSY',
  });
});

describe('several pools', () => {
  beforeEach(async () => {
    await host.close();
    host = await TestNode.make({ kernel, pools: ['fast', 'big'] });
    await host.start();
  });

  test('a volume lies in the pool its class names, or in the first', async () => {
    const [any, named] = [await create('a'), await create('b', { parameters: { pool: 'big' } })];
    expect(await readdir(join(host.folder, 'fast', 'images'))).toEqual([`${any}.img`]);
    expect(await readdir(join(host.folder, 'big', 'images'))).toEqual([`${named}.img`]);
    await expect(create('b')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await host.controller.DeleteVolume({ volume_id: named });
    expect(await readdir(join(host.folder, 'big', 'images'))).toEqual([]);
  });

  test('one that is gone leaves the other working, and comes back by itself', async () => {
    const volume = await create('b', { parameters: { pool: 'big' } });
    await host.stop();
    await host.losePool('big');
    await host.start();
    expect(host.notReady()).toMatch(/pool "big"/);
    await create('a');
    await expect(host.controller.DeleteVolume({ volume_id: volume })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });

  test('a group of volumes in both is refused', async () => {
    const source_volume_ids = [await create('a'), await create('b', { parameters: { pool: 'big' } })];
    await expect(host.groups.CreateVolumeGroupSnapshot({ name: 'g', source_volume_ids })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('several pools') as string,
    });
  });
});
