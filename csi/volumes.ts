/** The volumes of a pool: created, deleted and found, one operation at a time per volume, by journal. */
import { BerthError } from '../kit/errors.ts';
import { writeDeletionIntent } from './deletionintent.ts';
import type { Stored } from './engine.ts';
import type { PoolParts } from './poolparts.ts';
import { freeSpaceOf } from './promises.ts';
import { differenceTo } from './sizing.ts';
import type { NewVolume } from './sizing.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { VolumeRecord } from './volume.ts';
import { makeVolume, undoVolume } from './volumecreation.ts';

export class Volumes {
  readonly #parts: PoolParts;

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  all(): readonly VolumeRecord[] {
    return this.#parts.volumes.all();
  }

  /** The volume in any state, or undefined. */
  find(id: string): VolumeRecord | undefined {
    return this.#parts.volumes.find(id);
  }

  /** The volume of that name in any state, or undefined. */
  named(name: string): VolumeRecord | undefined {
    return this.#parts.volumes.named(name);
  }

  /** A usable volume; throws NOT_FOUND. */
  get(id: string): VolumeRecord {
    const record = this.find(id);
    if (record?.state === 'ready') return record;
    throw new BerthError('NOT_FOUND', `volume "${id}" does not exist in pool "${this.#parts.pool.name}" of this node`);
  }

  /** Runs the only operation on a volume; throws BUSY when there is one. The lock is taken before the first await. */
  exclusive<T>(id: string, what: string, work: () => Promise<T>): Promise<T> {
    return this.#parts.operations.exclusive(id, `${what} volume`, work);
  }

  /**
   * The volume of that name, made if it is missing, from the bytes of a source in this pool if one is named. Throws
   * ALREADY_EXISTS when it is another than asked for, NOT_FOUND without its source. The caller holds the name.
   */
  async create(request: NewVolume): Promise<VolumeRecord> {
    const present = this.named(request.name);
    if (present === undefined) return await this.#createNew(request);
    const existing = await this.exclusive(present.id, 'creating', async () => {
      const record = this.find(present.id);
      if (record?.state === 'creating') await undoVolume(record, this.#parts);
      if (record?.state === 'deleting') await this.finishDeletion(record);
      return this.find(present.id);
    });
    if (existing === undefined) return await this.#createNew(request);
    const difference = differenceTo(existing, request);
    if (difference === undefined) return existing;
    throw new BerthError(
      'ALREADY_EXISTS',
      `volume "${request.name}" exists already as ${existing.id}, but ${difference}`,
    );
  }

  /** Deletes the volume; one that does not exist is deleted. Throws FAILED_PRECONDITION when it is in use. */
  delete(id: string): Promise<void> {
    return this.exclusive(id, 'deleting', async () => {
      const record = this.find(id);
      if (record === undefined) return;
      if (record.state === 'creating') await undoVolume(record, this.#parts);
      else await this.#deleteExisting(record);
    });
  }

  /** Goes on with a deletion whose intent is written. */
  async finishDeletion(record: VolumeRecord): Promise<void> {
    const { store, ledger, nodeState, volumes, trash, atPoint } = this.#parts;
    await trash.put(record);
    atPoint('delete.moved');
    await store.remove(record.id);
    atPoint('delete.forgotten');
    volumes.forget(record);
    nodeState.set(record.id, { published: [] });
    await ledger.release(record.id);
    freeSpaceOf(record, this.#parts);
  }

  #createNew(request: NewVolume): Promise<VolumeRecord> {
    const { source } = request;
    if (source === undefined) return makeVolume(request, undefined, this.#parts);
    const what = source.kind === 'volume' ? 'cloning volume' : 'restoring snapshot';
    return this.#parts.operations.exclusive(source.id, what, () =>
      makeVolume(request, this.#sourceOf(request), this.#parts),
    );
  }

  #sourceOf({ source }: NewVolume): Stored | undefined {
    if (source === undefined) return undefined;
    const { pool, snapshots } = this.#parts;
    const found: VolumeRecord | SnapshotRecord | undefined =
      source.kind === 'volume' ? this.find(source.id) : snapshots.find(source.id);
    if (found?.state === 'ready') return found;
    throw new BerthError('NOT_FOUND', `source ${source.kind} ${source.id} does not exist in pool "${pool.name}"`);
  }

  async #deleteExisting(record: VolumeRecord): Promise<void> {
    const { engine, nodeState, volumes, atPoint } = this.#parts;
    if (record.state === 'ready') {
      await this.#parts.assertPresent();
      const { attached, places } = await engine.look(record);
      const stagedBlock = record.use.kind === 'block' && attached && nodeState.of(record.id).staged !== undefined;
      if (places.length > 0 || stagedBlock) {
        const how = places.length > 0 ? `mounted at ${places.length} places` : 'staged';
        throw new BerthError(
          'FAILED_PRECONDITION',
          `volume ${record.id} is in use: ${how}; unpublish and unstage it first`,
        );
      }
      const deleting: VolumeRecord = { ...record, state: 'deleting' };
      await writeDeletionIntent({ kind: 'volume', record: deleting }, this.#parts);
      volumes.enter(deleting);
      atPoint('delete.intent');
    }
    await this.finishDeletion(record);
  }
}
