// A storage service that is killed at every point of the journal of snapshots, groups and growth, started again and asked again.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { faultPoints } from '../../csi/faultpoints.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { unmountBelow } from './volumelife.ts';

const MiB = 1024 * 1024;
const xfs = mountCapability({ fs_type: 'xfs' });
const [size, grown] = [304 * MiB, 320 * MiB];
const folders = ['meta', 'images', 'snapshots', 'trash'];

let shared: SharedFolder;
let pool: ScratchPool;
let host: TestNode;
let mortal: ChildProcess | undefined;

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
  mortal?.kill('SIGKILL');
  await host.stop();
  await unmountBelow(host.folder);
  await host.close();
});

/** Starts the service in a process of its own that ends itself with SIGKILL at `point`; resolves when it serves. */
async function startMortal(point: string): Promise<{ readonly died: Promise<unknown> }> {
  const script = join(import.meta.dirname, 'mortalstorage.ts');
  const args = [script, host.kubeletRoot, host.pool, join(host.folder, 'run'), point];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  mortal = child;
  const died = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), died]);
  return { died };
}

/** A volume in use is snapshotted, restored, grouped and grown, and all of it taken back; every step may have been done before. */
async function life(): Promise<void> {
  const { controller, node, groups } = host;
  const [staging, target] = [await host.stagingPath('v'), await host.targetPath('pod-v')];
  const common = { volume_capabilities: [xfs], capacity_range: { required_bytes: String(size) } };
  const volume_id = (await controller.CreateVolume({ name: 'v', ...common })).volume!.volume_id;
  const staged = { volume_id, staging_target_path: staging, volume_capability: xfs };
  await node.NodeStageVolume(staged);
  await node.NodePublishVolume({ ...staged, target_path: target });
  await writeFile(join(target, 'file'), 'kept');
  const { snapshot } = await controller.CreateSnapshot({ source_volume_id: volume_id, name: 's' });
  const { group_snapshot: group } = await groups.CreateVolumeGroupSnapshot({
    name: 'g',
    source_volume_ids: [volume_id],
  });
  const capacity_range = { required_bytes: String(grown) };
  await node.NodeExpandVolume({ volume_id, volume_path: target, capacity_range });
  expect(await readFile(join(target, 'file'), 'utf8')).toBe('kept');
  const snapshot_ids = group!.snapshots.map((member) => member.snapshot_id);
  await groups.DeleteVolumeGroupSnapshot({ group_snapshot_id: group!.group_snapshot_id, snapshot_ids });
  await controller.DeleteSnapshot({ snapshot_id: snapshot!.snapshot_id });
  await node.NodeUnpublishVolume({ volume_id, target_path: target });
  await node.NodeUnstageVolume({ volume_id, staging_target_path: staging });
  await controller.DeleteVolume({ volume_id });
}

const ofCopies = faultPoints.slice(faultPoints.indexOf('freeze.frozen'));

test.each(ofCopies)('killed at %s, started again and asked again', async (point) => {
  const { died } = await startMortal(point);
  // The call in flight fails with the process.
  await expect(life()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await died).toEqual([null, 'SIGKILL']);
  await host.start();
  await life();
  for (const folder of folders) expect(await readdir(join(host.pool, folder)), folder).toEqual([]);
  expect(await host.registry.getSingleMetricAsString('berth_csi_pool_reserved_bytes')).toMatch(/ 0$/m);
});
