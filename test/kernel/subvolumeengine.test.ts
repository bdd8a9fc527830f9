// The engine `subvolume` on the real kernel, through the service's socket.
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { kernelSubvolumes } from '../../linux/btrfs.ts';
import { kernelBtrfsQuotas } from '../../linux/btrfsquota.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { createVolume, serveVolume, takeBack, takeFromPod, unmountBelow } from './volumelife.ts';
import type { Served, WantedVolume } from './volumelife.ts';

const MiB = 1024 * 1024;
const capability = mountCapability({ fs_type: 'btrfs', mount_flags: ['noatime'] });
const v: WantedVolume = { name: 'v', capability, bytes: 64 * MiB };
const subvolumes = kernelSubvolumes();
const quotas = kernelBtrfsQuotas();

let shared: SharedFolder;
let pool: ScratchPool;
let host: TestNode;

beforeAll(async () => {
  shared = await makeSharedFolder();
  pool = await makeScratchPool('btrfs', 2048 * MiB);
});
afterAll(async () => {
  await pool.close();
  await shared.close();
});
beforeEach(async () => {
  host = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth'), engine: 'subvolume' });
  await host.start();
});
afterEach(async () => {
  await host.stop();
  await unmountBelow(host.folder);
  await host.close();
});

/** Everything of ours there is, or was a moment ago: files, mounts, and subvolumes' quota groups. */
async function remains(): Promise<readonly string[]> {
  const files: string[] = [];
  for (const folder of ['images', 'snapshots', 'trash', 'meta'])
    files.push(...(await readdir(join(host.pool, folder))).map((file) => `${folder}/${file}`));
  const mounts = (await kernelMounts().list()).map(({ mountPoint }) => mountPoint);
  const groups = [...(await quotas.groups(pool.path)).keys()].filter((group) => group > 5n);
  return [
    ...files,
    ...mounts.filter((path) => path.startsWith(`${host.folder}/`)),
    ...groups.map((group) => `group ${group}`),
  ];
}

async function nothingRemains(): Promise<void> {
  // The kernel frees space in the background; the engine's next look takes the rest.
  const left = async (): Promise<readonly string[]> => {
    await host.start();
    return await remains();
  };
  await expect.poll(left, { timeout: 20_000 }).toEqual([]);
}

async function fill(file: string, bytes: number): Promise<void> {
  await writeFile(file, Buffer.alloc(bytes, 1));
}

/** EDQUOT, which libuv has no name for. */
const quotaExceeded = /-122|unknown error, write/;

async function snapshotOf(name: string, source_volume_id: string): Promise<string> {
  const { snapshot } = await host.controller.CreateSnapshot({ name, source_volume_id });
  return snapshot!.snapshot_id;
}

describe('a volume', () => {
  test('lives through every call twice, with data, and nothing remains', async () => {
    const served = await serveVolume(host, v);
    expect(await serveVolume(host, v)).toEqual(served);
    await writeFile(join(served.target, 'file'), 'precious');
    for (const path of [served.staging, served.target]) {
      const [mount] = (await kernelMounts().list()).filter(({ mountPoint }) => mountPoint === path);
      expect(mount?.options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noatime']));
    }
    expect((await stat(served.target)).mode & 0o7777).toBe(0o755);
    await takeBack(host, served);
    await takeBack(host, served);
    await nothingRemains();
  });

  test('keeps its data over pods, agents and reboots', async () => {
    const served = await serveVolume(host, v);
    await writeFile(join(served.target, 'file'), 'precious');
    await takeFromPod(host, served);
    await host.start();
    expect(await serveVolume(host, v)).toEqual(served);
    await host.stop();
    await unmountBelow(host.folder);
    await rm(join(host.folder, 'run'), { recursive: true });
    await host.start();
    expect(await serveVolume(host, v)).toEqual(served);
    expect(await readFile(join(served.target, 'file'), 'utf8')).toBe('precious');
    await takeBack(host, served);
  });

  test('is full for its pod only, takes more when it has grown, and says what it holds', async () => {
    const [served, other] = [await serveVolume(host, v), await serveVolume(host, { ...v, name: 'other' })];
    await expect(fill(join(served.target, 'big'), 80 * MiB)).rejects.toThrow(quotaExceeded);
    await fill(join(other.target, 'big'), 40 * MiB);
    await rm(join(served.target, 'big'));
    const grow = { volume_id: served.id, volume_path: served.target, capacity_range: { required_bytes: '134217728' } };
    await host.node.NodeExpandVolume(grow);
    expect((await host.node.NodeExpandVolume(grow)).capacity_bytes).toBe('134217728');
    await fill(join(served.target, 'big'), 80 * MiB);
    await subvolumes.clean(pool.path);
    const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
    const [bytes] = usage;
    expect(bytes?.total).toBe('134217728');
    expect(Number(bytes?.used)).toBeGreaterThanOrEqual(80 * MiB);
    expect(Number(bytes?.used) + Number(bytes?.available)).toBe(128 * MiB);
    for (const each of [served, other]) await takeBack(host, each);
  });

  test('can be emptied when it is full', async () => {
    const served = await serveVolume(host, v);
    await expect(fill(join(served.target, 'big'), 80 * MiB)).rejects.toThrow(quotaExceeded);
    await rm(join(served.target, 'big'));
    await fill(join(served.target, 'big'), 40 * MiB);
    await takeBack(host, served);
  });

  test('is read-only where it is shown so, beside a pod that writes', async () => {
    const served = await serveVolume(host, v);
    const target = await host.targetPath('reader');
    const common = { volume_id: served.id, staging_target_path: served.staging, volume_capability: capability };
    await host.node.NodePublishVolume({ ...common, target_path: target, readonly: true });
    await writeFile(join(served.target, 'file'), 'text');
    expect(await readFile(join(target, 'file'), 'utf8')).toBe('text');
    await expect(writeFile(join(target, 'file'), 'no')).rejects.toMatchObject({ code: 'EROFS' });
    await host.node.NodeUnpublishVolume({ volume_id: served.id, target_path: target });
    await takeBack(host, served);
  });

  test('is refused flags that would be for the whole pool', async () => {
    const wanted = { ...v, capability: mountCapability({ mount_flags: ['noexec', 'sync', 'commit=5'] }) };
    await expect(serveVolume(host, wanted)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('cannot have the mount flags sync,commit=5') as string,
    });
    await takeBack(host, await serveVolume(host, v));
  });

  test('is no raw block', async () => {
    const block = createVolume(host, { ...v, capability: { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } } });
    await expect(block).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('that lost its limit has it again after a start', async () => {
    const served = await serveVolume(host, v);
    const id = await subvolumes.idOf(served.target);
    await quotas.limit(pool.path, id, undefined);
    await host.start();
    expect((await quotas.group(pool.path, id))?.limit).toBe(BigInt(v.bytes));
    await takeBack(host, served);
  });
});

describe('what a pod makes inside its volume', () => {
  /** Whoever may write to a folder may make subvolumes in it; each counts for itself. */
  async function escape({ target }: Served): Promise<void> {
    await subvolumes.create(join(target, 'inner'));
    await subvolumes.create(join(target, 'inner/most'));
    await fill(join(target, 'inner/most/big'), 100 * MiB);
    await subvolumes.clean(pool.path);
  }

  test('counts for the volume from the next look at its figures on', async () => {
    const served = await serveVolume(host, v);
    await escape(served);
    const look = async (): Promise<number> => {
      const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
      return Number(usage[0]?.used);
    };
    await expect.poll(look, { timeout: 20_000 }).toBeGreaterThanOrEqual(100 * MiB);
    for (const folder of ['', 'inner', 'inner/most'])
      await expect(writeFile(join(served.target, folder, 'more'), 'x')).rejects.toThrow(quotaExceeded);
    await expect(subvolumes.create(join(served.target, 'another'))).rejects.toMatchObject({ code: 'EDQUOT' });
    await takeBack(host, served);
    await nothingRemains();
  });

  test('and makes read-only can be deleted, however deep it lies', async () => {
    const served = await serveVolume(host, v);
    const made = [await subvolumes.idOf(served.target)];
    let folder = served.target;
    for (let depth = 0; depth < 15; depth++) {
      folder = join(folder, 'n'.repeat(200));
      await subvolumes.create(folder);
      made.push(await subvolumes.idOf(folder));
    }
    for (const id of made) await subvolumes.setReadonly(pool.path, id, true);
    await takeBack(host, served);
    await nothingRemains();
  });

  test('and makes read-only can be written to by the next pod', async () => {
    const served = await serveVolume(host, v);
    await subvolumes.setReadonly(pool.path, await subvolumes.idOf(served.target), true);
    await takeFromPod(host, served);
    await serveVolume(host, v);
    await writeFile(join(served.target, 'file'), 'text');
    await takeBack(host, served);
  });

  test('counts from the next look at the room of the pool on', async () => {
    const served = await serveVolume(host, v);
    await escape(served);
    await host.controller.GetCapacity({});
    await expect(writeFile(join(served.target, 'more'), 'x')).rejects.toThrow(quotaExceeded);
    await takeBack(host, served);
    await nothingRemains();
  });
});

describe('snapshots and clones', () => {
  test('have the moment they were taken, share its bytes, and outlive their source', async () => {
    const served = await serveVolume(host, v);
    await fill(join(served.target, 'big'), 50 * MiB);
    await writeFile(join(served.target, 'file'), 'then');
    const snapshot = await snapshotOf('s', served.id);
    expect(await snapshotOf('s', served.id)).toBe(snapshot);
    await writeFile(join(served.target, 'file'), 'now');
    // All of it anew: the snapshot pays for the old bytes, the volume is not full by them.
    await fill(join(served.target, 'big'), 50 * MiB);
    await expect(writeFile(join(host.pool, 'snapshots', snapshot, 'file'), '')).rejects.toMatchObject({
      code: 'EROFS',
    });
    const clone = await serveVolume(host, { ...v, name: 'clone', source: { volume: { volume_id: served.id } } });
    await takeBack(host, served);
    const restored = await serveVolume(host, {
      ...v,
      name: 'restored',
      bytes: 128 * MiB,
      source: { snapshot: { snapshot_id: snapshot } },
    });
    await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
    await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
    expect(await readFile(join(clone.target, 'file'), 'utf8')).toBe('now');
    expect(await readFile(join(restored.target, 'file'), 'utf8')).toBe('then');
    await expect(fill(join(clone.target, 'more'), 40 * MiB)).rejects.toThrow(quotaExceeded);
    await fill(join(restored.target, 'more'), 40 * MiB);
    for (const each of [clone, restored]) await takeBack(host, each);
    await nothingRemains();
  });
});

test("what was deleted comes back from the trash as it was, and its room is anybody's", async () => {
  await host.close();
  const place = {
    base: shared.path,
    pool: join(pool.path, 'berth'),
    engine: 'subvolume',
    trashRetention: '1h',
  } as const;
  host = await TestNode.make(place);
  await host.start();
  const served = await serveVolume(host, v);
  await fill(join(served.target, 'big'), 40 * MiB);
  const snapshot = await snapshotOf('s', served.id);
  await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
  await takeBack(host, served);
  for (const id of [snapshot, served.id]) await host.act('undelete', id);
  expect(await serveVolume(host, v)).toEqual(served);
  expect((await stat(join(served.target, 'big'))).size).toBe(40 * MiB);
  await expect(writeFile(join(host.pool, 'snapshots', snapshot, 'file'), '')).rejects.toMatchObject({ code: 'EROFS' });
  await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
  await takeBack(host, served);
  await subvolumes.clean(pool.path);
  const room = Number((await host.controller.GetCapacity({})).available_capacity);
  // Nearly all, for which the 40 MiB have to go.
  const nearly = room - (room % 4096) - 16 * MiB;
  const whole = await createVolume(host, { ...v, name: 'whole', bytes: nearly });
  await host.controller.DeleteVolume({ volume_id: whole });
  await host.close();
  host = await TestNode.make({ ...place, trashRetention: '0' });
  await host.start();
  await nothingRemains();
});

test('a group of snapshots is taken of volumes that nobody writes to, for there is no holding them still', async () => {
  const [a, b] = [await serveVolume(host, { ...v, name: 'a' }), await serveVolume(host, { ...v, name: 'b' })];
  const group = { name: 'g', source_volume_ids: [a.id, b.id] };
  await expect(host.groups.CreateVolumeGroupSnapshot(group)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('is a subvolume and in use') as string,
  });
  for (const each of [a, b]) await takeFromPod(host, each);
  const { group_snapshot: taken } = await host.groups.CreateVolumeGroupSnapshot(group);
  expect(taken?.snapshots).toHaveLength(2);
  await host.groups.DeleteVolumeGroupSnapshot({ group_snapshot_id: taken?.group_snapshot_id ?? '' });
  for (const each of [a, b]) await takeBack(host, each);
  await nothingRemains();
});

describe('the pool', () => {
  test('has room for what is promised, whatever is written of it', async () => {
    const room = async (): Promise<number> => Number((await host.controller.GetCapacity({})).available_capacity);
    const before = await room();
    const served = await serveVolume(host, { ...v, bytes: 512 * MiB });
    const promised = await room();
    expect(before - promised).toBeGreaterThanOrEqual(511 * MiB);
    await fill(join(served.target, 'big'), 300 * MiB);
    await subvolumes.clean(pool.path);
    expect(Math.abs((await room()) - promised)).toBeLessThan(32 * MiB);
    // What the snapshot shares with it may be overwritten.
    const snapshot = await snapshotOf('s', served.id);
    expect(promised - (await room())).toBeGreaterThanOrEqual(290 * MiB);
    await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
    await takeBack(host, served);
    await expect.poll(room, { timeout: 20_000 }).toBeGreaterThanOrEqual(before - 16 * MiB);
  });

  test('keeps its promises to the last byte', async () => {
    const small = await makeScratchPool('btrfs', 1024 * MiB);
    const node = await TestNode.make({ base: shared.path, pool: join(small.path, 'berth'), engine: 'subvolume' });
    await node.start();
    const bytes = Number((await node.controller.GetCapacity({})).available_capacity);
    const half = Math.floor(bytes / 2 / MiB) * MiB;
    const full = await serveVolume(node, { ...v, name: 'full', bytes: half });
    const other = await serveVolume(node, { ...v, name: 'other', bytes: half });
    const more = createVolume(node, { ...v, name: 'more', bytes: 64 * MiB });
    await expect(more).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await expect(fill(join(full.target, 'file'), half + 16 * MiB)).rejects.toThrow(quotaExceeded);
    for (let i = 0; i < 2_000; i++) await writeFile(join(other.target, `${i}`), 'x'.repeat(1000));
    await expect(fill(join(other.target, 'file'), half)).rejects.toThrow(quotaExceeded);
    for (const each of [full, other]) await takeBack(node, each);
    await node.close();
    await small.close();
  });

  test('is told to keep room for trees, unless whoever mounted it has said how much', async () => {
    const options = async (): Promise<readonly string[]> =>
      (await kernelMounts().listNow()).find(({ mountPoint }) => mountPoint === pool.path)?.superOptions ?? [];
    // And keeps all it was mounted with.
    expect(await options()).toEqual(expect.arrayContaining(['metadata_ratio=4', 'commit=1']));
    await subvolumes.takeForTrees(pool.path, 7);
    await host.start();
    expect(await options()).toContain('metadata_ratio=7');
  });

  test('reports what it does not know and leaves it', async () => {
    const stranger = join(host.pool, 'images', 'notes');
    await subvolumes.create(stranger);
    await host.start();
    expect(await host.registry.getSingleMetricAsString('berth_csi_start_findings')).toMatch(/strangers.*1/);
    await stat(stranger);
    await subvolumes.destroy(pool.path, await subvolumes.idOf(stranger));
  });

  test('on another filesystem is refused with what to do', async () => {
    const elsewhere = await TestNode.make({ base: shared.path, engine: 'subvolume' });
    await expect(elsewhere.start()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/does not lie on btrfs; mount one there \(mkfs\.btrfs DEVICE\)/) as string,
    });
    await elsewhere.close();
  });
});
