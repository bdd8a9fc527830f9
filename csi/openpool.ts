/** One pool with everything that works on it: opened, brought in order, ready for calls. */
import { join } from 'node:path';
import type { Logger } from '../kit/log.ts';
import type { PoolConfig } from './config.ts';
import type { Engine } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import { Groups } from './groups.ts';
import { Ledger } from './ledger.ts';
import type { ReadSpace } from './ledger.ts';
import { NodeState } from './nodestate.ts';
import { NodeVolumes } from './nodevolumes.ts';
import type { StorageKernel } from './kernel.ts';
import { Operations } from './operations.ts';
import type { Pool } from './pool.ts';
import { resumeLimits } from './poollimits.ts';
import type { PoolParts } from './poolparts.ts';
import { presenceOf } from './poolpresence.ts';
import type { AssertPresent } from './poolpresence.ts';
import { Records } from './records.ts';
import { promiseOf } from './promises.ts';
import { reconcile } from './reconcile.ts';
import type { Findings } from './reconcile.ts';
import { Snapshots } from './snapshots.ts';
import type { GroupRecord, SnapshotRecord } from './snapshot.ts';
import { recordStore } from './store.ts';
import { Trash } from './trash.ts';
import { trashRecords } from './trashrecords.ts';
import { freedBy } from './trashsize.ts';
import type { VolumeRecord } from './volume.ts';
import type { VolumeLimits } from './volumelimits.ts';
import { Volumes } from './volumes.ts';

export interface OpenPool {
  readonly pool: Pool;
  readonly config: PoolConfig;
  readonly parts: PoolParts;
  readonly volumes: Volumes;
  readonly snapshots: Snapshots;
  readonly groups: Groups;
  readonly nodeVolumes: NodeVolumes;
  /** What the start found in it. */
  readonly findings: Findings;
}

export interface OpenPoolOptions {
  readonly kernel: StorageKernel;
  readonly kubeletRoot: string;
  readonly runDir: string;
  readonly limits: VolumeLimits;
  readonly onFrozen: PoolParts['onFrozen'];
  readonly log: Logger;
  readonly atPoint: AtPoint;
}

/** Everything on a pool whose lock is held. Its records, bytes, devices and mounts agree when it resolves. */
export async function startPool(
  pool: Pool,
  config: PoolConfig,
  engine: Engine,
  { kernel, kubeletRoot, runDir, limits, onFrozen, log, atPoint }: OpenPoolOptions,
): Promise<OpenPool> {
  const { mounts, filesystems } = kernel;
  const assertPresent = presenceOf(pool);
  const space: ReadSpace = async () => {
    await assertPresent();
    return await (engine.space?.() ?? (await filesystems.usage(pool.path)).bytes);
  };
  const ledger = new Ledger({ pool: pool.name, limit: config.capacity, space, counted: engine.space !== undefined });
  const stored = recordStore(pool.folders.meta, pool.id);
  const store = { ...stored, ...whilePresent(stored, assertPresent) };
  const trashed = trashRecords(pool.folders.trash, pool.id);
  const records = {
    volumes: new Records<VolumeRecord>(),
    snapshots: new Records<SnapshotRecord>(),
    groups: new Records<GroupRecord>(),
  };
  const { overcommit, thinWatermark } = config;
  const trash = new Trash({
    engine,
    records: { ...trashed, ...whilePresent(trashed, assertPresent) },
    poolId: pool.id,
    store,
    ledger: {
      readmit: (object, onDisk) => ledger.readmit(object.id, promiseOf(object, overcommit), onDisk),
      release: (id) => ledger.release(id),
    },
    retentionMs: config.trashRetention,
    space,
    measure: (object) => freedBy(object, { engine, ...records }),
    now: Date.now,
    log,
    atPoint,
  });
  ledger.useSpare(trash);
  const parts: PoolParts = {
    pool,
    assertPresent,
    store,
    ledger,
    engine,
    nodeState: new NodeState(join(runDir, pool.id)),
    limits,
    gracePeriods: kernel.gracePeriods,
    operations: new Operations(),
    ...records,
    trash,
    overcommit,
    thinWatermark,
    onFrozen,
    log,
    atPoint,
  };
  const volumes = new Volumes(parts);
  const snapshots = new Snapshots(parts);
  const groups = new Groups(parts, snapshots);
  const findings = await reconcile({ ...parts, manager: { volumes, snapshots, groups } });
  await resumeLimits(parts);
  const nodeVolumes = new NodeVolumes({ parts, volumes, mounts, filesystems, kubeletRoot });
  return { pool, config, parts, volumes, snapshots, groups, nodeVolumes, findings };
}

interface Store<T> {
  write(record: T, after?: Promise<unknown>): Promise<void>;
  remove(id: string): Promise<void>;
}

/** The changes of a store, which are refused while the pool is not where it was opened. */
function whilePresent<T>(store: Store<T>, assertPresent: AssertPresent): Store<T> {
  return {
    write: async (record, after) => {
      await assertPresent();
      await store.write(record, after);
    },
    remove: async (id) => {
      await assertPresent();
      await store.remove(id);
    },
  };
}
