// A service on a pool of images that is killed at the points of its journal of snapshots, groups and growth, and asked again.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import type { faultPoints } from '../../csi/faultpoints.ts';
import { kernelGracePeriods } from '../../linux/graceperiods.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { serveVolume, takeBack, unmountBelow } from './volumelife.ts';
import type { Served, WantedVolume } from './volumelife.ts';

type FaultPoint = (typeof faultPoints)[number];

const MiB = 1024 * 1024;
const points: readonly FaultPoint[] = [
  'freeze.hurried',
  'freeze.frozen',
  'snapshot.intent',
  'snapshot.cloned',
  'snapshot.made',
  'snapshot.ready',
  'unsnapshot.intent',
  'unsnapshot.moved',
  'unsnapshot.forgotten',
  'group.intent',
  'group.made',
  'grow.intent',
  'grow.extended',
  'grow.attached',
  'grow.grown',
];
const wanted: WantedVolume = { name: 'v', capability: mountCapability({ fs_type: 'xfs' }), bytes: 320 * MiB };
const grown = { required_bytes: String(448 * MiB) };

const gracePeriods = kernelGracePeriods();
let shared: SharedFolder;
let pool: ScratchPool;
let host: TestNode;
let mortal: ChildProcess | undefined;

beforeAll(async () => {
  shared = await makeSharedFolder();
  pool = await makeScratchPool('xfs', 3 * 2 ** 30);
});
afterAll(async () => {
  await pool.close();
  await shared.close();
});
beforeEach(async () => {
  host = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth') });
});
afterEach(async () => {
  mortal?.kill('SIGKILL');
  await host.stop();
  await unmountBelow(host.folder);
  await host.close();
});

/** Starts the service in a process of its own that ends itself with SIGKILL at `point`; resolves when it serves. */
async function startMortal(point: FaultPoint): Promise<{ readonly died: Promise<unknown> }> {
  const script = join(import.meta.dirname, 'mortalstorage.ts');
  const args = [script, host.kubeletRoot, host.pool, join(host.folder, 'run'), point];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  mortal = child;
  const died = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), died]);
  return { died };
}

/** Images, records, devices and mounts of ours. */
async function remains(): Promise<readonly string[]> {
  const left: string[] = [];
  for (const folder of ['images', 'snapshots', 'meta']) left.push(...(await readdir(join(host.pool, folder))));
  for (const image of await readdir(join(host.pool, 'images')))
    if ((await kernelLoopDevices().find(join(host.pool, 'images', image))) !== undefined)
      left.push(`device of ${image}`);
  const mounts = (await kernelMounts().list()).map(({ mountPoint }) => mountPoint);
  return [...left, ...mounts.filter((path) => path.startsWith(`${host.folder}/`))];
}

/** Every step may have been done before. */
async function copyAndGrow({ id, target }: Served): Promise<void> {
  const { snapshot } = await host.controller.CreateSnapshot({ name: 's', source_volume_id: id });
  const { group_snapshot } = await host.groups.CreateVolumeGroupSnapshot({ name: 'g', source_volume_ids: [id] });
  await host.node.NodeExpandVolume({ volume_id: id, volume_path: target, capacity_range: grown });
  await host.controller.DeleteSnapshot({ snapshot_id: snapshot?.snapshot_id ?? '' });
  const snapshot_ids = group_snapshot?.snapshots.map((member) => member.snapshot_id) ?? [];
  const { group_snapshot_id = '' } = group_snapshot ?? {};
  await host.groups.DeleteVolumeGroupSnapshot({ group_snapshot_id, snapshot_ids });
}

test.each(points)(
  'killed at %s, the pod goes on writing and the calls succeed when they are repeated',
  async (point) => {
    const { died } = await startMortal(point);
    const served = await serveVolume(host, wanted);
    const log = join(served.target, 'log');
    await appendFile(log, 'before ', { flush: true });
    // The call in flight fails with the process.
    await expect(copyAndGrow(served)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await died).toEqual([null, 'SIGKILL']);
    expect(gracePeriods.areLong()).toBe(point !== 'freeze.hurried');
    await host.start();
    expect(gracePeriods.areLong()).toBe(true);
    await appendFile(log, 'after', { flush: true });
    expect(await serveVolume(host, { ...wanted, bytes: 0 })).toEqual(served);
    await copyAndGrow(served);
    expect(await readFile(log, 'utf8')).toBe('before after');
    const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
    expect(Number(usage[0]?.total)).toBeGreaterThan(360 * MiB);
    await takeBack(host, served);
    expect(await remains()).toEqual([]);
  },
);
