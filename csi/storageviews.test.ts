// What is shown of storage, and bringing back, over a service on a kernel that keeps state in memory.
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import type { VolumeCapability } from '../protos/types/csi/v1/VolumeCapability.ts';
import { blockCapability, mountCapability, TestNode } from './fake/testnode.ts';
import type { InspectedSnapshot, InspectedVolume } from './objectinspection.ts';
import { readPool } from './poolreading.ts';
import { lookAtTrash, lookAtVolumes } from './inspection.ts';
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from './views.ts';

const MiB = 1024 * 1024;
const pod = '0a1b2c3d-0000-4000-8000-000000000001';
const ext4 = mountCapability({ fs_type: 'ext4' });
let kernel: FakeStorageKernel;
let host: TestNode;

beforeEach(async () => {
  kernel = new FakeStorageKernel(1n << 30n);
  host = await TestNode.make({ kernel, trashRetention: '24h' });
  await host.start();
});
afterEach(async () => {
  await host.close();
});

async function create(name: string, bytes = 64 * MiB, capability: VolumeCapability = ext4): Promise<string> {
  const { volume } = await host.controller.CreateVolume({
    name,
    capacity_range: { required_bytes: String(bytes) },
    volume_capabilities: [capability],
    parameters: { 'csi.storage.k8s.io/pvc/namespace': 'default', 'csi.storage.k8s.io/pvc/name': `claim-${name}` },
  });
  return volume!.volume_id;
}

async function publish(
  name: string,
  volume_id: string,
  capability = ext4,
): Promise<Record<'staging' | 'target', string>> {
  const [staging, target] = [await host.stagingPath(name), await host.targetPath(pod)];
  const common = { volume_id, staging_target_path: staging, volume_capability: capability };
  await host.node.NodeStageVolume(common);
  await host.node.NodePublishVolume({ ...common, target_path: target });
  return { staging, target };
}

const remove = (id: string): Promise<unknown> => host.controller.DeleteVolume({ volume_id: id });
const volumes = async (): Promise<readonly VolumeView[]> => (await host.view('volumes')) as readonly VolumeView[];
const trash = async (): Promise<readonly TrashView[]> => (await host.view('trash')) as readonly TrashView[];
const pools = async (): Promise<readonly StoragePoolView[]> => (await host.view('pools')) as readonly StoragePoolView[];
const inspect = async (of: string): Promise<InspectedVolume> => (await host.view('inspect', of))[0] as InspectedVolume;

describe('volumes', () => {
  test('are told with their claim, and where they are', async () => {
    const id = await create('a');
    expect(await volumes()).toMatchObject([
      {
        id,
        name: 'a',
        claim: 'default/claim-a',
        pool: 'default',
        type: 'ext4',
        size: 64 * MiB,
        used: null,
        provisioning: 'thick',
        state: 'ready',
        staged: '',
        published: [],
        source: '',
      },
    ]);
    const { staging, target } = await publish('a', id);
    const [shown] = await volumes();
    expect(shown).toMatchObject({ staged: staging, published: [{ path: target, readonly: false, pod }] });
    expect(shown?.used).toBeGreaterThan(0);
  });

  test('are told with the pods by name, where the kubelet says it', async () => {
    const id = await create('a', MiB, blockCapability());
    const [staging, target] = [await host.stagingPath('a'), await host.targetPath(pod)];
    const common = { volume_id: id, staging_target_path: staging, volume_capability: blockCapability() };
    await host.node.NodeStageVolume(common);
    const volume_context = { 'csi.storage.k8s.io/pod.namespace': 'default', 'csi.storage.k8s.io/pod.name': 'web-0' };
    for (let times = 0; times < 2; times++)
      await host.node.NodePublishVolume({ ...common, target_path: target, volume_context });
    const place = { path: target, readonly: false, pod: 'default/web-0' };
    for (const shown of [(await volumes())[0], await inspect(id)])
      expect(shown).toMatchObject({ staged: staging, published: [place] });
  });

  test('are told as the kernel has them, not as they are remembered', async () => {
    const { staging, target } = await publish('a', await create('a'));
    for (const path of [target, staging]) await kernel.mounts.unmount(path);
    expect(await volumes()).toMatchObject([{ staged: '', published: [], used: null }]);
  });

  test('of raw block are staged without a mount', async () => {
    const id = await create('a', MiB, blockCapability());
    const { staging, target } = await publish('a', id, blockCapability());
    expect(await volumes()).toMatchObject([
      { type: 'block', staged: staging, published: [{ path: target }], used: null },
    ]);
  });

  test('can be inspected by ID, name and claim', async () => {
    const id = await create('a');
    const { staging, target } = await publish('a', id);
    const found = await inspect(id);
    expect(found).toMatchObject({
      kind: 'volume',
      engine: 'image',
      poolPath: host.pool,
      node: 'node-a',
      family: id,
      file: { path: `images/${id}.img`, size: 64 * MiB },
      attached: true,
      device: { name: 'loop0', number: '7:0', directIo: true },
      staged: staging,
      published: [{ path: target }],
      snapshots: [],
      deletedAt: '',
      problems: [],
    });
    expect(found.filesystem?.bytes.total).toBeGreaterThan(0);
    for (const name of ['a', 'default/claim-a']) expect(await inspect(name)).toEqual(found);
    const { snapshot } = await host.controller.CreateSnapshot({ name: 's', source_volume_id: id });
    expect((await inspect(id)).snapshots).toEqual([snapshot!.snapshot_id]);
  });

  test.each(['', 'b', '../a', 'v1-00000000-00000000000000000000000000', 'default/', '__proto__'])(
    'are not found by %j',
    async (name) => {
      await create('a');
      await expect(inspect(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    },
  );

  test('whose bytes are gone can be inspected all the same, and say so', async () => {
    const id = await create('a');
    expect(await inspect(id)).toMatchObject({ reasons: [], health: [] });
    await rm(join(host.pool, 'images', `${id}.img`));
    const expected = { file: null, attached: false, device: null, reasons: ['ImageMissing'] };
    expect(await inspect(id)).toMatchObject({
      ...expected,
      health: [{ severity: 'data_loss', reason: 'ImageMissing' }],
    });
  });
});

test('snapshots are told with their source and its claim', async () => {
  const source_volume_id = await create('a');
  const { snapshot } = await host.controller.CreateSnapshot({ name: 's', source_volume_id });
  const id = snapshot!.snapshot_id;
  const expected = { id, source: source_volume_id, size: 64 * MiB, type: 'ext4', group: '', reserved: true };
  expect((await host.view('snapshots')) as SnapshotView[]).toMatchObject([{ ...expected, claim: 'default/claim-a' }]);
  await remove(source_volume_id);
  expect((await host.view('snapshots')) as SnapshotView[]).toMatchObject([{ ...expected, claim: '' }]);
  const found = (await host.view('inspect', id))[0] as InspectedSnapshot;
  expect(found).toMatchObject({ kind: 'snapshot', file: { path: `snapshots/${id}.img` } });
});

describe('pools', () => {
  test('are told with what is promised, left and in the trash', async () => {
    const id = await create('a');
    await create('b');
    await remove(id);
    const [shown] = await pools();
    expect(shown).toMatchObject({
      kind: 'storage',
      name: 'default',
      engine: 'image',
      path: host.pool,
      size: 1024 * MiB,
      free: 896 * MiB,
      reserved: 64 * MiB,
      trash: 64 * MiB,
      volumes: 1,
      snapshots: 0,
      reason: '',
    });
    expect(shown?.available).toBe((1024 - 64 - 16) * MiB);
  });

  test('that are missing are told with the reason, and those of a service that does not run', async () => {
    await host.close();
    host = await TestNode.make({ kernel, pools: ['fast', 'slow'] });
    await writeFile(join(host.folder, 'slow'), 'no folder');
    await host.start();
    expect(await pools()).toMatchObject([
      { name: 'fast', reason: '' },
      { name: 'slow', engine: 'image', size: null, reason: expect.stringContaining('pool "slow"') as string },
    ]);
    await rm(join(host.folder, 'slow'));
  });
});

describe('undelete', () => {
  test('brings a volume back under its ID, with its bytes, its claim and its space', async () => {
    const id = await create('a');
    const before = { records: await volumes(), pools: await pools() };
    await remove(id);
    expect(await volumes()).toEqual([]);
    expect((await host.controller.ListVolumes({})).entries).toEqual([]);
    const [deleted] = await trash();
    expect(deleted).toMatchObject({
      id,
      kind: 'volume',
      name: 'a',
      claim: 'default/claim-a',
      size: 64 * MiB,
      reason: '',
    });
    expect(Date.parse(deleted!.expiresAt) - Date.parse(deleted!.deletedAt)).toBe(86_400_000);
    expect(await inspect(id)).toMatchObject({ id, file: null, deletedAt: deleted!.deletedAt });
    expect(await host.act('undelete', 'default/claim-a')).toMatchObject([{ id, state: 'ready', deletedAt: '' }]);
    expect({ records: await volumes(), pools: await pools() }).toEqual(before);
    await publish('a', id);
  });

  test('brings it back after a restart too, and again and again', async () => {
    const id = await create('a');
    for (let round = 0; round < 3; round++) {
      await remove(id);
      await host.start();
      await host.act('undelete', id);
      expect(await volumes()).toMatchObject([{ id, state: 'ready' }]);
    }
    await host.start();
    expect([await trash(), await readdir(join(host.pool, 'trash'))]).toEqual([[], []]);
  });

  test('refuses what is not deleted, was never there, or whose name lives again', async () => {
    const id = await create('a');
    await expect(host.act('undelete', id)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(host.act('undelete', 'b')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await remove(id);
    const again = await create('a');
    expect(again).not.toBe(id);
    await expect(host.act('undelete', id)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: `volume ${id} was called "a", and so is ${again} now; delete that first`,
    });
    await remove(again);
    await expect(host.act('undelete', 'a')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await host.act('undelete', id);
  });

  test('refuses a volume whose space was promised to others', async () => {
    await host.close();
    host = await TestNode.make({ kernel: new FakeStorageKernel(1n << 30n), trashRetention: '1h', capacity: '100Mi' });
    await host.start();
    const id = await create('a');
    await remove(id);
    const other = await create('b');
    await expect(host.act('undelete', id)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await remove(other);
    await host.act('undelete', id);
    expect(await volumes()).toMatchObject([{ id }]);
  });

  test('brings a snapshot back that outlived its source', async () => {
    const source_volume_id = await create('a');
    const { snapshot } = await host.controller.CreateSnapshot({ name: 's', source_volume_id });
    const snapshot_id = snapshot!.snapshot_id;
    await host.controller.DeleteSnapshot({ snapshot_id });
    await remove(source_volume_id);
    expect(await trash()).toMatchObject([{ kind: 'snapshot' }, { kind: 'volume' }]);
    await host.act('undelete', snapshot_id);
    const { entries } = await host.controller.ListSnapshots({ snapshot_id });
    expect(entries).toMatchObject([{ snapshot: { snapshot_id, ready_to_use: true } }]);
    await host.controller.DeleteSnapshot({ snapshot_id });
  });

  test('of two at once one does it', async () => {
    const id = await create('a');
    await remove(id);
    const outcomes = await Promise.allSettled([host.act('undelete', id), host.act('undelete', id), create('a')]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('a creation that would not fit', () => {
  test('takes the oldest from the trash, and no more', async () => {
    const ids = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      ids.push(await create(name, 200 * MiB));
      await remove(ids.at(-1)!);
    }
    const { available_capacity: available } = await host.controller.GetCapacity({});
    expect(available).toBe(String((1024 - 16) * MiB));
    await create('e', 400 * MiB);
    expect((await trash()).map(({ id }) => id)).toEqual(ids.slice(1));
    await host.act('undelete', 'd');
    await create('f', 400 * MiB);
    expect(await trash()).toEqual([]);
  });

  test('takes nothing when all of it would not be enough', async () => {
    const id = await create('a', 200 * MiB);
    await remove(id);
    await expect(create('b', 1009 * MiB)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(await trash()).toMatchObject([{ id }]);
    await create('c', 1008 * MiB);
    expect(await trash()).toEqual([]);
  });
});

describe('without an agent', () => {
  test('a pool is read as it is, also beside an agent, and nothing is changed', async () => {
    const [id, gone] = [await create('a'), await create('b')];
    const { target } = await publish('a', id);
    await remove(gone);
    await writeFile(join(host.pool, 'meta/.tmp-x'), 'half');
    await writeFile(join(host.pool, 'meta/v1-odd.json'), 'cut');
    const files = (await readdir(host.pool, { recursive: true })).sort();
    const { pool, warnings } = await readPool(host.pool, kernel);
    const [shown] = await lookAtVolumes([pool], kernel.mounts);
    expect(shown).toMatchObject({ id, pool: host.pool, published: [{ path: target, pod }], claim: 'default/claim-a' });
    expect(lookAtTrash([pool])).toMatchObject([{ id: gone, expiresAt: '' }]);
    expect(warnings).toEqual(['record v1-odd.json cannot be read: it is cut, or no record']);
    expect((await readdir(host.pool, { recursive: true })).sort()).toEqual(files);
  });

  test.each([
    ['is no pool', 'NOT_FOUND'],
    ['is damaged', 'FAILED_PRECONDITION'],
  ])('a folder that %s is refused', async (what, code) => {
    if (what === 'is damaged') await writeFile(join(host.pool, 'pool.json'), '{');
    else await rename(join(host.pool, 'pool.json'), join(host.folder, 'pool.json'));
    await expect(readPool(host.pool, kernel)).rejects.toMatchObject({ code });
  });
});

test('a service that does not run says so, and shows its pools with the reason', async () => {
  const service = await TestNode.make({ kernel });
  await service.start();
  const { views } = service.service!;
  await service.stop();
  await expect((async () => await views?.['volumes']?.(''))()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await views?.['pools']?.('')).toMatchObject([{ name: 'default', reason: 'the storage plugin does not run' }]);
  await service.close();
});
