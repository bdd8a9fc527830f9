// A pool that is full, read-only, gone or another below a running agent: every call says so, nothing is lost, and it works again.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listing } from '../../csi/fake/listing.ts';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { asBerthError } from '../../kit/errors.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { runTool } from '../../linux/tool.ts';
import { fill } from './patterns.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { createVolume, serveVolume, takeBack, retire } from './volumelife.ts';
import type { Served } from './volumelife.ts';

const MiB = 1024 * 1024;
const ext4 = mountCapability({ fs_type: 'ext4' });
const mounts = kernelMounts();

let shared: SharedFolder;
let disk: ScratchPool;
let other: ScratchPool;
let host: TestNode;
let idle: Served;
let snapshot = '';

const wanted = { name: 'idle', capability: ext4, bytes: 64 * MiB };
const run = async (...words: [string, ...string[]]): Promise<void> => {
  expect(await runTool(words)).toMatchObject({ exitCode: 0 });
};

beforeEach(async () => {
  shared = await makeSharedFolder();
  [disk, other] = [await makeScratchPool('xfs', 512 * MiB), await makeScratchPool('xfs', 512 * MiB)];
  const second = await TestNode.make({ base: shared.path, pool: join(other.path, 'berth') });
  await second.start();
  await createVolume(second, { ...wanted, name: 'of the other' });
  await second.close();
  host = await TestNode.make({ base: shared.path, pool: join(disk.path, 'berth'), storage: { central: true } });
  await host.start();
  idle = { id: await createVolume(host, wanted), staging: await host.stagingPath('idle'), target: '' };
  const taken = await host.controller.CreateSnapshot({ name: 's', source_volume_id: idle.id });
  snapshot = taken.snapshot?.snapshot_id ?? '';
});
afterEach(async () => {
  await retire(host);
  await disk.close();
  await other.close();
  await shared.close();
});

/** Every call that needs the pool, and how it is answered. */
async function answers(): Promise<Readonly<Record<string, string>>> {
  const { controller, groups } = host;
  const range = { required_bytes: String(96 * MiB) };
  const volume_id = idle.id;
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    CreateVolume: () => createVolume(host, { ...wanted, name: 'new', bytes: 96 * MiB }),
    CreateSnapshot: () => controller.CreateSnapshot({ name: 'new', source_volume_id: volume_id }),
    CreateVolumeGroupSnapshot: () => groups.CreateVolumeGroupSnapshot({ name: 'new', source_volume_ids: [volume_id] }),
    ControllerExpandVolume: () => controller.ControllerExpandVolume({ volume_id, capacity_range: range }),
    NodeStageVolume: () =>
      host.node.NodeStageVolume({ volume_id, staging_target_path: idle.staging, volume_capability: ext4 }),
    DeleteSnapshot: () => controller.DeleteSnapshot({ snapshot_id: snapshot }),
    DeleteVolume: () => controller.DeleteVolume({ volume_id }),
  };
  const found: Record<string, string> = {};
  for (const [name, call] of Object.entries(calls))
    found[name] = await call().then(
      () => 'OK',
      (error: unknown) => {
        const { code, message } = asBerthError(error);
        return `${code} ${message.replace(/^.*csi\.sock: /, '')}`;
      },
    );
  return found;
}

function expectEach(found: Readonly<Record<string, string>>, pattern: RegExp): void {
  for (const [call, answer] of Object.entries(found)) expect(`${call}: ${answer}`).toMatch(pattern);
}

/** Everything that could not be done before is done now. */
async function expectWorks(): Promise<void> {
  expect((await host.controller.ListSnapshots({})).entries).toHaveLength(1);
  const served = await serveVolume(host, wanted);
  expect(served.id).toBe(idle.id);
  const name = { ...wanted, name: 'after' };
  await takeBack(host, await serveVolume(host, name));
  await takeBack(host, served);
  await host.controller.DeleteSnapshot({ snapshot_id: snapshot });
  expect((await host.controller.ListVolumes({})).entries).toEqual([]);
}

/** What a pod sees of a volume goes on while the pool is away, and its way back is open. */
async function servedPod(): Promise<Served> {
  const served = await serveVolume(host, { ...wanted, name: 'busy' });
  await writeFile(join(served.target, 'data'), 'precious');
  return served;
}

test('full: what needs room is refused with the reason, the rest is done', { timeout: 120_000 }, async () => {
  const filler = join(disk.path, 'filler');
  expect((await fill(filler, 'filler')).code).toBe('ENOSPC');
  const { CreateVolume, CreateSnapshot, ControllerExpandVolume, ...rest } = await answers();
  expectEach(
    { CreateVolume: CreateVolume ?? '', ControllerExpandVolume: ControllerExpandVolume ?? '' },
    /RESOURCE_EXHAUSTED .*delete volumes/,
  );
  expect(CreateSnapshot).toMatch(/RESOURCE_EXHAUSTED .*(delete|enlarge)/);
  expect(rest).toMatchObject({ NodeStageVolume: 'OK', DeleteSnapshot: 'OK' });
  expect(rest['DeleteVolume']).toMatch(/FAILED_PRECONDITION .*in use/);
  await host.node.NodeUnstageVolume({ volume_id: idle.id, staging_target_path: idle.staging });
  await host.controller.DeleteVolume({ volume_id: idle.id });
  await rm(filler);
  // XFS frees it a moment later.
  const room = async (): Promise<number> => Number((await host.controller.GetCapacity({})).available_capacity);
  await expect.poll(room, { timeout: 30_000 }).toBeGreaterThan(100 * MiB);
  const again = await serveVolume(host, { ...wanted, name: 'after' });
  await takeBack(host, again);
});

test('read-only: every call that writes says so, and works when it is writable again', async () => {
  const before = await listing(disk.path);
  // Over it, as the agent's lock keeps the mount itself from being made so.
  await run('mount', '--bind', disk.path, disk.path);
  await run('mount', '-o', 'remount,bind,ro', disk.path);
  const found = await answers();
  await run('umount', disk.path);
  expectEach(found, /: FAILED_PRECONDITION .*read-only/);
  expect(await listing(disk.path)).toEqual(before);
  await expectWorks();
});

test('gone: every call says where its disk belongs, pods are taken back, and it works when it is back', async () => {
  const served = await servedPod();
  const before = await listing(disk.path);
  const mount = (await mounts.list()).find(({ mountPoint }) => mountPoint === disk.path);
  await run('umount', '-l', disk.path);
  expectEach(await answers(), /: UNAVAILABLE .*no pool\.json; mount its disk there again/);
  expect((await host.controller.GetCapacity({})).available_capacity).toBe('0');
  expect(await listing(disk.path)).toEqual([]);
  expect(await readFile(join(served.target, 'data'), 'utf8')).toBe('precious');
  await run('mount', mount?.source ?? '', disk.path);
  expect((await listing(disk.path)).map((line) => line.split(' ')[0])).toEqual(
    before.map((line) => line.split(' ')[0]),
  );
  await takeBack(host, served);
  await expectWorks();
});

test('another disk in its place: nothing of ours is written there, and nothing there is touched', async () => {
  const served = await servedPod();
  const foreign = await listing(other.path);
  await run('mount', '--bind', other.path, disk.path);
  expectEach(
    await answers(),
    /: UNAVAILABLE .*pool [0-9a-f]{8} lies there, not [0-9a-f]{8}; mount its disk there again/,
  );
  expect((await host.controller.GetCapacity({})).available_capacity).toBe('0');
  expect(await listing(other.path)).toEqual(foreign);
  expect(await readFile(join(served.target, 'data'), 'utf8')).toBe('precious');
  await run('umount', disk.path);
  await takeBack(host, served);
  await expectWorks();
});

test('an empty folder in its place, with the folders of a pool', async () => {
  const empty = join(shared.path, 'empty');
  for (const folder of ['meta', 'images', 'snapshots', 'trash'])
    await mkdir(join(empty, 'berth', folder), { recursive: true });
  const before = await listing(empty);
  await run('mount', '--bind', empty, disk.path);
  expectEach(await answers(), /: UNAVAILABLE .*no pool\.json/);
  expect(await listing(empty)).toEqual(before);
  await run('umount', disk.path);
  await rm(empty, { recursive: true });
  await expectWorks();
});

test('of another node, beside a pool of this one: it is left alone, and the other is served', async () => {
  await host.stop();
  const theirs = join(other.path, 'berth');
  const file = join(theirs, 'pool.json');
  const own = await readFile(file, 'utf8');
  await writeFile(file, own.replace('node-a', 'node-b'));
  const before = await listing(join(theirs, 'meta'));
  const pools = [
    { name: 'default', path: join(disk.path, 'berth') },
    { name: 'second', path: theirs },
  ];
  const both = await TestNode.make({ base: shared.path, storage: { pools } });
  await both.start();
  expect(both.notReady()).toMatch(/pool "second" was made on node "node-b".*bring the disk back, or take the pool out/);
  const made = await createVolume(both, { ...wanted, name: 'beside' });
  await both.controller.DeleteVolume({ volume_id: made });
  expect(await listing(join(theirs, 'meta'))).toEqual(before);
  await writeFile(file, own);
  await both.start();
  expect(both.notReady()).not.toMatch(/second/);
  expect((await both.controller.ListVolumes({})).entries).toHaveLength(2);
  await both.close();
});
