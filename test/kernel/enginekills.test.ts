// A service with pools of subvolumes or of memory that is killed at the points of its journal that its engine has, started and asked again.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import type { faultPoints } from '../../csi/faultpoints.ts';
import { kernelBtrfsQuotas } from '../../linux/btrfsquota.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { serveVolume, takeBack, unmountBelow } from './volumelife.ts';
import type { WantedVolume } from './volumelife.ts';

type FaultPoint = (typeof faultPoints)[number];

const MiB = 1024 * 1024;
const life: readonly FaultPoint[] = [
  'create.allocated',
  'create.formatted',
  'create.ready',
  'delete.intent',
  'delete.moved',
  'delete.forgotten',
  'stage.attached',
  'stage.mounted',
  'unstage.unmounted',
  'unstage.detached',
  'publish.bound',
  'unpublish.unmounted',
];

const withSnapshots: readonly FaultPoint[] = [
  'snapshot.intent',
  'snapshot.cloned',
  'snapshot.made',
  'snapshot.ready',
  'unsnapshot.intent',
  'unsnapshot.moved',
  'unsnapshot.forgotten',
  'grow.intent',
  'grow.extended',
  'grow.grown',
];

let shared: SharedFolder;
let pool: ScratchPool;
let host: TestNode;
let mortal: ChildProcess | undefined;

beforeAll(async () => {
  shared = await makeSharedFolder();
  pool = await makeScratchPool('btrfs', 1024 * MiB);
});
afterAll(async () => {
  await pool.close();
  await shared.close();
});
afterEach(async () => {
  mortal?.kill('SIGKILL');
  await host.stop();
  await unmountBelow(host.folder);
  await host.close();
});

/** Starts the service in a process of its own that ends itself with SIGKILL at `point`; resolves when it serves. */
async function startMortal(engine: string, point: FaultPoint): Promise<{ readonly died: Promise<unknown> }> {
  const script = join(import.meta.dirname, 'mortalstorage.ts');
  const args = [script, host.kubeletRoot, host.pool, join(host.folder, 'run'), point, engine];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  mortal = child;
  const died = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), died]);
  return { died };
}

/** Files of ours, mounts below the node's folder, and quota groups of subvolumes. */
async function remains(): Promise<readonly string[]> {
  const files: string[] = [];
  for (const folder of ['images', 'snapshots', 'trash', 'meta'])
    files.push(...(await readdir(join(host.pool, folder))));
  const mounts = (await kernelMounts().list()).map(({ mountPoint }) => mountPoint);
  const groups = [...(await kernelBtrfsQuotas().groups(pool.path)).keys()].filter((group) => group > 5n);
  return [...files, ...mounts.filter((path) => path.startsWith(`${host.folder}/`)), ...groups.map(String)];
}

/** The agent is asked for nothing more, and nothing is left after at most some further starts: space is freed in the background. */
async function nothingRemains(): Promise<void> {
  const left = async (): Promise<readonly string[]> => {
    await host.start();
    return await remains();
  };
  await expect.poll(left, { timeout: 20_000 }).toEqual([]);
}

describe.each([
  ['subvolume', 'btrfs', life],
  ['tmpfs', 'tmpfs', life],
] as const)('a pool of the engine %s', (engine, fs_type, points) => {
  const v: WantedVolume = { name: 'v', capability: mountCapability({ fs_type }), bytes: 64 * MiB };

  beforeEach(async () => {
    const place = engine === 'subvolume' ? { pool: join(pool.path, 'berth') } : { capacity: '1Gi' };
    host = await TestNode.make({ base: shared.path, engine, ...place });
  });

  test.each(points)('killed at %s', async (point) => {
    const { died } = await startMortal(engine, point);
    // The call in flight fails with the process.
    await expect(
      (async () => {
        await takeBack(host, await serveVolume(host, v));
      })(),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await died).toEqual([null, 'SIGKILL']);
    await host.start();
    if (/^(create|stage|publish)/.test(point)) {
      const served = await serveVolume(host, v);
      await writeFile(join(served.target, 'file'), 'works');
      await takeBack(host, served);
    } else {
      // The kubelet and the provisioner repeat the way back; the ID is what they have.
      const [staging, target] = [await host.stagingPath('v'), await host.targetPath('pod-v')];
      for (const record of await readdir(join(host.pool, 'meta')))
        await takeBack(host, { id: record.replace('.json', ''), staging, target });
    }
    await nothingRemains();
  });
});

test.each(withSnapshots)('snapshots and growth of subvolumes, killed at %s', async (point) => {
  host = await TestNode.make({ base: shared.path, engine: 'subvolume', pool: join(pool.path, 'berth') });
  const v: WantedVolume = { name: 'v', capability: mountCapability({ fs_type: 'btrfs' }), bytes: 64 * MiB };
  /** Every call of it may have been made before. */
  const live = async (): Promise<void> => {
    const { controller, node } = host;
    const served = await serveVolume(host, v);
    const { snapshot } = await controller.CreateSnapshot({ name: 's', source_volume_id: served.id });
    const clone = await serveVolume(host, { ...v, name: 'clone', source: { volume: { volume_id: served.id } } });
    await controller.DeleteSnapshot({ snapshot_id: snapshot?.snapshot_id ?? '' });
    for (const { id, target } of [served, clone]) {
      const size = { required_bytes: String(128 * MiB) };
      await node.NodeExpandVolume({ volume_id: id, volume_path: target, capacity_range: size });
    }
    for (const each of [served, clone]) await takeBack(host, each);
  };
  const { died } = await startMortal('subvolume', point);
  await expect(live()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await died).toEqual([null, 'SIGKILL']);
  await host.start();
  await live();
  await nothingRemains();
});
