// The reader of the invariant checker on real pools: sound ones have no violation, and what is planted is found.
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../cluster/command.ts';
import { storageSchema } from '../../csi/config.ts';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { readStorage } from '../faults/invariants/readstorage.ts';
import { storageViolations } from '../faults/invariants/storage.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { serveVolume, unmountBelow } from './volumelife.ts';

const MiB = 1024 * 1024;
let shared: SharedFolder;
let disk: ScratchPool;
let host: TestNode;
let pool = '';
let [snapshot, group] = ['', ''];
const silent = / the agent does not say how much/;

beforeAll(async () => {
  shared = await makeSharedFolder();
  disk = await makeScratchPool('xfs', 1024 * MiB);
  host = await TestNode.make({ base: shared.path, storage: { pools: pools() } });
  await host.start();
  pool = join(disk.path, 'b');
  const served = await serveVolume(host, {
    name: 'a',
    capability: mountCapability({ fs_type: 'ext4' }),
    bytes: 64 * MiB,
  });
  const taken = await host.controller.CreateSnapshot({ name: 's', source_volume_id: served.id });
  snapshot = taken.snapshot?.snapshot_id ?? '';
  const several = await host.groups.CreateVolumeGroupSnapshot({ name: 'g', source_volume_ids: [served.id] });
  group = several.group_snapshot?.group_snapshot_id ?? '';
});
afterAll(async () => {
  await host.stop();
  await unmountBelow(host.folder);
  await rm(join(host.folder, 'run'), { recursive: true });
  // Which detaches what nothing uses any more.
  await host.start();
  await host.close();
  await disk.close();
  await shared.close();
});

/** The volume's is the second. */
function pools(): readonly object[] {
  return [
    { name: 'empty', path: join(disk.path, 'a') },
    { name: 'default', path: join(disk.path, 'b') },
  ];
}

/** All but what is of other clusters on this machine, and of the agent, which serves no metrics here. */
async function violations(): Promise<readonly string[]> {
  const config = storageSchema.parse({ pools: pools(), runDir: join(host.folder, 'run') });
  const here = { name: 'node-a', exec: (words: readonly string[]) => run(words[0] ?? '', words.slice(1)) };
  const read = await readStorage(here, config);
  const mounts = read.mounts.filter(({ path }) => path.startsWith(`${host.folder}/`));
  return storageViolations({ ...read, mounts }).filter((sentence) => !silent.test(sentence));
}

test('a volume in use, a snapshot and a group in the second pool are in order', async () => {
  expect(await violations()).toEqual([]);
});

test('records of a snapshot and of a group that are gone are missed, and a stray file is found', async () => {
  const files = [snapshot, group].map((id) => join(pool, `meta/${id}.json`));
  const stray = join(pool, 'snapshots/stray.img');
  // Within the pool, for it is a filesystem of its own.
  for (const [at, file] of files.entries()) await rename(file, join(disk.path, String(at)));
  await writeFile(stray, '');
  const found = await violations();
  for (const [at, file] of files.entries()) await rename(join(disk.path, String(at)), file);
  await rm(stray);
  expect(found).toEqual([
    `pool default: snapshot ${snapshot} has no record`,
    'pool default: snapshot stray has no record',
    expect.stringMatching(new RegExp(`pool default: snapshot \\S+ of ${group} has no group member`)) as string,
  ]);
  expect(await violations()).toEqual([]);
});
