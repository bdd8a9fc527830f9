/** The volumes of a pool: an index of records, one operation at a time per volume, and creating and deleting by journal. */
import { randomUUID } from 'node:crypto';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Logger } from '../kit/log.ts';
import type { Engine } from './engine.ts';
import { failureOf } from './failures.ts';
import type { AtPoint } from './faultpoints.ts';
import type { Ledger } from './ledger.ts';
import type { NodeState } from './nodestate.ts';
import { commonType, differenceTo, sizeOf, typeIn } from './sizing.ts';
import type { NewVolume } from './sizing.ts';
import type { RecordStore } from './store.ts';
import { newObjectId, poolOf } from './objectid.ts';
import type { VolumeRecord } from './volume.ts';

export interface VolumesParts {
  readonly pool: { readonly name: string; readonly id: string };
  readonly store: RecordStore;
  readonly ledger: Ledger;
  readonly engine: Engine;
  readonly nodeState: NodeState;
  readonly log: Logger;
  readonly atPoint: AtPoint;
}

export class Volumes {
  readonly #parts: VolumesParts;
  readonly #records = new Map<string, VolumeRecord>();
  readonly #idByName = new Map<string, string>();
  readonly #locks = new KeyedLock();
  readonly #running = new Set<Promise<unknown>>();

  constructor(parts: VolumesParts) {
    this.#parts = parts;
  }

  /** Enters a record found on disk. */
  enter(record: VolumeRecord): void {
    this.#records.set(record.id, record);
    this.#idByName.set(record.name, record.id);
  }

  all(): readonly VolumeRecord[] {
    return [...this.#records.values()];
  }

  /** The volume in any state, or undefined. */
  find(id: string): VolumeRecord | undefined {
    return this.#records.get(id);
  }

  /** A usable volume; throws NOT_FOUND. */
  get(id: string): VolumeRecord {
    const record = this.#records.get(id);
    if (record?.state === 'ready') return record;
    throw new BerthError('NOT_FOUND', `volume "${id}" does not exist in pool "${this.#parts.pool.name}" of this node`);
  }

  /** Runs the only operation on a volume; throws BUSY when there is one. The lock is taken before the first await. */
  exclusive<T>(id: string, what: string, work: () => Promise<T>): Promise<T> {
    return this.#track(
      this.#locks.tryRun(`id/${id}`, `volume ${id}`, async () => {
        try {
          return await work();
        } catch (error) {
          throw failureOf(error, `${what} volume ${id}`);
        }
      }),
    );
  }

  /** Resolves when no operation runs, also one whose caller has gone. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** The volume of that name, made if it is missing. Throws ALREADY_EXISTS when it is another than asked for. */
  create(request: NewVolume): Promise<VolumeRecord> {
    const name = `name/${request.name}`;
    return this.#track(this.#locks.tryRun(name, `volume "${request.name}"`, () => this.#createNamed(request)));
  }

  /** Deletes the volume; one that does not exist is deleted. Throws FAILED_PRECONDITION when it is in use or elsewhere. */
  delete(id: string): Promise<void> {
    const { pool } = this.#parts;
    const owner = poolOf('volume', id);
    if (owner !== undefined && owner !== pool.id) {
      const where = `volume ${id} lies in another pool (${owner}); this node has ${pool.id}`;
      return Promise.reject(new BerthError('FAILED_PRECONDITION', `${where}; delete it on the node that has it`));
    }
    return this.exclusive(id, 'deleting', async () => {
      const record = this.#records.get(id);
      if (record === undefined) return;
      if (record.state === 'creating') await this.undo(record);
      else await this.#deleteExisting(record);
    });
  }

  /** Removes what an unfinished creation left. */
  async undo(record: VolumeRecord): Promise<void> {
    const { engine, store, ledger } = this.#parts;
    await engine.discard(record);
    await store.remove(record.id);
    this.#forget(record);
    await ledger.release(record.id);
  }

  /** Goes on with a deletion whose intent is written. */
  async finishDeletion(record: VolumeRecord): Promise<void> {
    const { engine, store, ledger, nodeState, atPoint } = this.#parts;
    await engine.moveToTrash(record);
    atPoint('delete.moved');
    await store.remove(record.id);
    atPoint('delete.forgotten');
    this.#forget(record);
    await nodeState.set(record.id, { published: [] });
    // In the call, not after it: the provisioner asks for the capacity next. An unlink takes some milliseconds.
    // Should it fail, the filesystem still counts the file as used and the next deletion or start removes it.
    await engine.emptyTrash(() => true).finally(() => ledger.release(record.id));
  }

  #forget(record: VolumeRecord): void {
    this.#records.delete(record.id);
    if (this.#idByName.get(record.name) === record.id) this.#idByName.delete(record.name);
  }

  #track<T>(operation: Promise<T>): Promise<T> {
    const settled = operation.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
    return operation;
  }

  async #createNamed(request: NewVolume): Promise<VolumeRecord> {
    const id = this.#idByName.get(request.name);
    if (id === undefined) return await this.#createNew(request);
    const existing = await this.exclusive(id, 'creating', async () => {
      const record = this.#records.get(id);
      if (record?.state === 'creating') await this.undo(record);
      if (record?.state === 'deleting') await this.finishDeletion(record);
      return this.#records.get(id);
    });
    if (existing === undefined) return await this.#createNew(request);
    const difference = differenceTo(existing, request);
    if (difference === undefined) return existing;
    throw new BerthError('ALREADY_EXISTS', `volume "${request.name}" exists already as ${id}, but ${difference}`);
  }

  async #createNew(request: NewVolume): Promise<VolumeRecord> {
    const { pool, store, ledger, engine, atPoint } = this.#parts;
    const type = typeIn(engine.offers, commonType(request.uses), pool.name);
    const now = Date.now();
    const id = newObjectId('volume', pool.id, now);
    const record: VolumeRecord = {
      id,
      name: request.name,
      state: 'creating',
      bytes: sizeOf(request.range, type, engine.offers),
      use: type === 'block' ? { kind: 'block' } : { kind: 'filesystem', type, uuid: randomUUID() },
      provisioning: request.provisioning,
      parameters: request.parameters,
      mutable: request.mutable,
      source: request.source,
      family: id,
      createdAt: new Date(now).toISOString(),
    };
    const ready: VolumeRecord = { ...record, state: 'ready' };
    await ledger.reserve(record.id, record.bytes);
    try {
      this.enter(record);
      await store.write({ kind: 'volume', record });
      atPoint('create.intent');
      await engine.create(record);
      await store.write({ kind: 'volume', record: ready });
      atPoint('create.ready');
    } catch (error) {
      await this.#undoFailed(record);
      if (errnoOf(error) !== 'ENOSPC') throw failureOf(error, `creating volume "${request.name}"`);
      // The pool had less room than its filesystem said; now that the part is gone the ledger can tell how much.
      await ledger.reserve(record.id, record.bytes);
      await ledger.release(record.id);
      throw failureOf(error, `creating volume "${request.name}" in pool "${pool.name}"`);
    }
    this.enter(ready);
    await ledger.settle(record.id);
    return ready;
  }

  async #undoFailed(record: VolumeRecord): Promise<void> {
    try {
      await this.undo(record);
    } catch (error) {
      // It stays as an intent: the next call for this name, or the next start, undoes it.
      this.#parts.log.error(
        { event: 'volume.undo_failed', volume: record.id, reason: messageOf(error) },
        'unfinished volume could not be undone',
      );
    }
  }

  async #deleteExisting(record: VolumeRecord): Promise<void> {
    const { engine, store, nodeState, atPoint } = this.#parts;
    if (record.state === 'ready') {
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
      await store.write({ kind: 'volume', record: deleting });
      this.enter(deleting);
      atPoint('delete.intent');
    }
    await this.finishDeletion(record);
  }
}
