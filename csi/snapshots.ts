/** The snapshots of a pool: taken, deleted and found by journal. They are independent of their source, which may be deleted. */
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import { writeDeletionIntent } from './deletionintent.ts';
import { failureOf } from './failures.ts';
import { whileFrozen } from './freezing.ts';
import { newObjectId } from './objectid.ts';
import type { PoolParts } from './poolparts.ts';
import { freeSpaceOf, measureLater, promiseOf } from './promises.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { VolumeRecord } from './volume.ts';

export interface NewSnapshot {
  readonly name: string;
  readonly sourceId: string;
  /** Whether space is kept for all of it; undefined: for snapshots of thick volumes. */
  readonly reserved: boolean | undefined;
}

export class Snapshots {
  readonly #parts: PoolParts;

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /** Usable snapshots. */
  all(): readonly SnapshotRecord[] {
    return this.#parts.snapshots.all().filter(({ state }) => state === 'ready');
  }

  named(name: string): SnapshotRecord | undefined {
    return this.#parts.snapshots.named(name);
  }

  /** A usable snapshot; throws NOT_FOUND. */
  get(id: string): SnapshotRecord {
    const record = this.#parts.snapshots.find(id);
    if (record?.state === 'ready') return record;
    throw new BerthError(
      'NOT_FOUND',
      `snapshot "${id}" does not exist in pool "${this.#parts.pool.name}" of this node`,
    );
  }

  /**
   * The snapshot of that name, taken if it is missing. Throws ALREADY_EXISTS when it is one of another volume, NOT_FOUND
   * without its source, RESOURCE_EXHAUSTED without room. The caller holds the name.
   */
  async create(request: NewSnapshot): Promise<SnapshotRecord> {
    const { operations, volumes } = this.#parts;
    const present = this.named(request.name);
    if (present !== undefined) {
      const existing = await operations.exclusive(present.id, 'creating snapshot', async () => {
        const record = this.#parts.snapshots.find(present.id);
        if (record?.state === 'creating' && record.groupId === undefined) await undoSnapshot(record, this.#parts);
        if (record?.state === 'deleting') await this.finishDeletion(record);
        return this.#parts.snapshots.find(present.id);
      });
      if (existing !== undefined) return this.#sameSource(existing, request);
    }
    return await operations.exclusive(request.sourceId, 'snapshotting volume', async () => {
      const source = volumes.find(request.sourceId);
      if (source?.state !== 'ready')
        throw new BerthError('NOT_FOUND', `source volume ${request.sourceId} does not exist on this node`);
      const [made] = await takeSnapshots([{ source, name: request.name, reserved: request.reserved }], this.#parts);
      if (made === undefined) throw new BerthError('INTERNAL', 'no snapshot was made');
      return made;
    });
  }

  /** Deletes the snapshot; one that does not exist is deleted. Throws INVALID_ARGUMENT for a member of a group. */
  delete(id: string): Promise<void> {
    return this.#parts.operations.exclusive(id, 'deleting snapshot', async () => {
      const record = this.#parts.snapshots.find(id);
      if (record === undefined) return;
      if (record.groupId !== undefined && record.state === 'ready')
        throw new BerthError('INVALID_ARGUMENT', `snapshot ${id} belongs to group ${record.groupId}; delete the group`);
      if (record.state === 'creating') await undoSnapshot(record, this.#parts);
      else await this.deleteExisting(record);
    });
  }

  /** Deletes a snapshot, of a group or not. The caller holds it. */
  async deleteExisting(record: SnapshotRecord): Promise<void> {
    const { snapshots, atPoint } = this.#parts;
    const deleting: SnapshotRecord = { ...record, state: 'deleting' };
    await writeDeletionIntent({ kind: 'snapshot', record: deleting }, this.#parts);
    snapshots.enter(deleting);
    atPoint('unsnapshot.intent');
    await this.finishDeletion(deleting);
  }

  /** Goes on with a deletion whose intent is written. */
  async finishDeletion(record: SnapshotRecord): Promise<void> {
    const { store, ledger, snapshots, trash, atPoint } = this.#parts;
    await trash.put(record);
    atPoint('unsnapshot.moved');
    await store.remove(record.id);
    atPoint('unsnapshot.forgotten');
    snapshots.forget(record);
    await ledger.release(record.id);
    freeSpaceOf(record, this.#parts);
  }

  #sameSource(existing: SnapshotRecord, request: NewSnapshot): SnapshotRecord {
    if (existing.sourceId === request.sourceId && existing.groupId === undefined && existing.state === 'ready')
      return existing;
    const of = existing.groupId === undefined ? `of ${existing.sourceId}` : `in group ${existing.groupId}`;
    throw new BerthError('ALREADY_EXISTS', `snapshot "${request.name}" exists already as ${existing.id} ${of}`);
  }
}

export interface SnapshotToTake {
  readonly source: VolumeRecord;
  readonly name: string;
  readonly reserved: boolean | undefined;
  readonly groupId?: string;
  /** Default: a new one. */
  readonly id?: string;
}

/** Takes snapshots of volumes at one moment: all of them, or none. The caller holds the volumes. */
export async function takeSnapshots(wanted: readonly SnapshotToTake[], parts: PoolParts): Promise<SnapshotRecord[]> {
  const { pool, store, ledger, engine, snapshots, overcommit, atPoint } = parts;
  if (engine.offers.copies === 'none')
    throw new BerthError('INVALID_ARGUMENT', `pool "${pool.name}" (engine ${engine.kind}) cannot take snapshots`);
  const now = Date.now();
  const sources = wanted.map(({ source }) => source);
  const records = wanted.map(({ source, name, reserved, groupId, id }): SnapshotRecord => {
    const { bytes, use, family } = source;
    const common = { name, state: 'creating', bytes, use, sourceId: source.id, family, groupId } as const;
    return {
      ...common,
      id: id ?? newObjectId('snapshot', pool.id, now),
      reserved: reserved ?? source.provisioning === 'thick',
      createdAt: new Date(now).toISOString(),
    };
  });
  const ready = records.map((record): SnapshotRecord => ({ ...record, state: 'ready' }));
  try {
    for (const record of records) await ledger.reserve(record.id, promiseOf(record, overcommit));
    for (const record of records) {
      snapshots.enter(record);
      await store.write({ kind: 'snapshot', record });
    }
    atPoint('snapshot.intent');
    await whileFrozen(sources, parts, async () => {
      for (const [i, source] of sources.entries()) await engine.snapshot(source, at(records, i));
    });
    atPoint('snapshot.made');
    for (const record of ready) await store.write({ kind: 'snapshot', record });
    atPoint('snapshot.ready');
  } catch (error) {
    for (const record of records) await undoFailed(record, parts);
    const [first] = records;
    if (errnoOf(error) !== 'ENOSPC' || first === undefined) throw error;
    throw failureOf(error, `taking a snapshot of volume ${first.sourceId} in pool "${pool.name}"`);
  }
  for (const record of ready) {
    snapshots.enter(record);
    await ledger.settle(record.id, engine.offers.copies === 'full' ? undefined : 0n);
  }
  for (const family of new Set(ready.map((record) => record.family))) measureLater(family, parts);
  return ready;
}

/** Removes what an unfinished snapshot left. */
export async function undoSnapshot(
  record: SnapshotRecord,
  { engine, store, ledger, snapshots }: PoolParts,
): Promise<void> {
  await engine.discard(record);
  await store.remove(record.id);
  snapshots.forget(record);
  await ledger.release(record.id);
}

async function undoFailed(record: SnapshotRecord, parts: PoolParts): Promise<void> {
  try {
    await undoSnapshot(record, parts);
  } catch (error) {
    // It stays as an intent: the next call for this name, or the next start, undoes it.
    parts.log.error(
      { event: 'snapshot.undo_failed', snapshot: record.id, reason: messageOf(error) },
      'unfinished snapshot could not be undone',
    );
  }
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`no item ${index}`);
  return item;
}
