// The real csi-sanity against the storage service: every engine, every kind of volume, every kind of pool.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensurePrograms } from '../../cluster/build.ts';
import { TestNode } from '../../csi/fake/testnode.ts';
import type { EngineKind } from '../../csi/volume.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { makeScratchPool } from '../kernel/scratchpool.ts';
import { makeSharedFolder } from '../kernel/sharedfolder.ts';
import type { SharedFolder } from '../kernel/sharedfolder.ts';
import { runSanity } from './sanityrun.ts';

const MiB = 1024 * 1024;
let program = '';
let shared: SharedFolder;

beforeAll(async () => {
  program = (await ensurePrograms(['csi-sanity']))['csi-sanity'];
  shared = await makeSharedFolder();
});
afterAll(async () => {
  await shared.close();
});

type Kind = 'xfs' | 'ext4' | 'btrfs' | 'tmpfs' | 'block';
type PoolType = 'xfs' | 'btrfs' | 'ext4';

/** Little more than the least each can have. */
const sizes: Readonly<Record<Kind, number>> = { xfs: 320, btrfs: 256, ext4: 64, tmpfs: 16, block: 16 };

const kinds = ['xfs', 'ext4', 'btrfs', 'block'] as const;
const pools = ['xfs', 'btrfs', 'ext4'] as const;
const cases: readonly (readonly [EngineKind, Kind, PoolType])[] = [
  ...pools.flatMap((pool) => kinds.map((kind) => ['image', kind, pool] as const)),
  ['subvolume', 'btrfs', 'btrfs'],
  ['tmpfs', 'tmpfs', 'ext4'],
];

/** The controller publishes nothing: volumes are where they are. Everything else is offered, so it has to be tried. */
const allowedSkip = /^Controller ?(Publish|Unpublish|Publish, Unpublish)Volume not supported$/;

/** The 11 cases that take a snapshot or clone a volume. A tmpfs cannot, and the capability is the node's, which has other pools. */
const takingCopies = [
  'CreateSnapshot.*(already existing name|maximum-length name)',
  'ListSnapshots.*(match the specified|presence of new snapshots|next token)',
  'DeleteSnapshot.*return appropriate values',
  'GetSnapshot.*match the specified',
  'CreateVolume.*from an existing source',
].join('|');

test.concurrent.each(cases)('engine %s: %s volumes on %s', async (engine, kind, poolType) => {
  const pool = await makeScratchPool(poolType, 8192 * MiB);
  const node = await TestNode.make({
    base: shared.path,
    pool: join(pool.path, 'berth'),
    engine,
    storage: { central: true },
  });
  try {
    await node.start();
    const fsType: Record<string, string> = kind === 'block' ? {} : { 'csi.storage.k8s.io/fstype': kind };
    const result = await runSanity(node, {
      program,
      access: kind === 'block' ? 'block' : 'mount',
      parameters: { pool: 'default', ...fsType },
      sizeMiB: sizes[kind],
      ...(engine === 'tmpfs' ? { skip: takingCopies } : {}),
    });
    const { version, ran, passed, skipped } = result;
    const notRun = engine === 'tmpfs' ? '\n  11 not run: there are no copies of memory' : '';
    const reasons = [...skipped].map(([reason, count]) => `\n  ${count} × ${reason}`).join('') + notRun;
    process.stdout.write(
      `csi-sanity ${version}, ${engine}, ${kind} volumes on ${poolType}: ${passed} of ${ran} passed${reasons}\n`,
    );
    expect(ran).toBe(engine === 'tmpfs' ? 74 : 85);
    expect([passed, result.code], result.output).toEqual([ran, 0]);
    expect([...skipped.keys()].filter((reason) => !allowedSkip.test(reason))).toEqual([]);
    await node.stop();
    expect(await leftovers(pool.path)).toEqual([]);
  } finally {
    await node.close();
    await pool.close();
  }
});

/** What is still in the pool, with the device each is attached to. */
async function leftovers(pool: string): Promise<string[]> {
  const loops = kernelLoopDevices();
  const left: string[] = [];
  for (const folder of ['meta', 'images', 'snapshots', 'trash'])
    for (const file of await readdir(join(pool, 'berth', folder)))
      left.push(`${folder}/${file} ${(await loops.find(join(pool, 'berth', folder, file)))?.path ?? ''}`);
  return left;
}
