/**
 * The trash of a pool: deleted volumes and snapshots whose bytes stay for a while, to be brought back, until their time is over
 * or the space is needed. Its index is in memory; each entry has a record beside its bytes, so that a crash loses neither.
 */
import { pause } from '../kit/backoff.ts';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Engine, Stored } from './engine.ts';
import type { ReadSpace } from './ledger.ts';
import type { SnapshotState } from './snapshot.ts';
import { takeBack } from './trashreturn.ts';
import type { TakingBackParts } from './trashreturn.ts';
import { isTrashable } from './trashrecords.ts';
import type { TrashContent, Trashed, TrashRecords } from './trashrecords.ts';

export interface TrashParts extends TakingBackParts {
  readonly engine: Pick<Engine, 'moveToTrash' | 'restoreFromTrash' | 'emptyTrash' | 'sizeOf'>;
  readonly records: TrashRecords;
  /** The pool's ID. What bears another's is not ours to free. */
  readonly poolId: string;
  /** 0: nothing is kept. */
  readonly retentionMs: number;
  /** Bytes the pool will have more when the object's are removed; undefined when nobody can tell. */
  readonly measure: (object: Stored) => Promise<bigint | undefined>;
  /** What the ledger counts with. */
  readonly space: ReadSpace;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What one round removes at most: the rest waits for the next, so that unlinking never keeps the disk busy for long. */
const mostPerRound = 16;
/** Milliseconds between looks whether space is free; together no longer than whoever asks for a volume will wait. */
const freeingWaits = [1, 5, 20, 50, 100, 200] as const;

export class Trash {
  readonly #parts: TrashParts;
  readonly #entries = new Map<string, Trashed>();
  #unreadable: TrashContent['unreadable'] = [];
  readonly #locks = new KeyedLock();

  constructor(parts: TrashParts) {
    this.#parts = parts;
  }

  /**
   * At start, once the records of what lives are known, whose state `live` tells: reads what is kept and removes bytes that
   * nobody recorded, which an unfinished deletion left. What is damaged or foreign is reported and kept.
   */
  async load(live: (id: string) => SnapshotState | undefined): Promise<TrashContent> {
    const { records, engine, log } = this.#parts;
    const content = await records.load();
    this.#unreadable = content.unreadable;
    for (const { file, reason } of content.unreadable)
      log.error(
        { event: 'trash.record_unreadable', file, reason },
        'trash record cannot be read; it and its bytes stay',
      );
    for (const { file, bytes } of content.strangers)
      log.warn({ event: 'trash.stranger', file, bytes: String(bytes) }, 'file in the trash is not ours; it is kept');
    for (const entry of content.entries) {
      const { id } = entry.object;
      // It was brought back, all but for forgetting that it had been deleted.
      if (live(id) === 'ready' && (await engine.sizeOf(entry.object)) !== undefined) await records.remove(id);
      else this.#entries.set(id, entry);
    }
    await this.#sweep();
    return content;
  }

  /** Oldest first. */
  list(): readonly Trashed[] {
    return [...this.#entries.values()].sort((a, b) => a.deletedAt - b.deletedAt);
  }

  /** Records that cannot be read. */
  get unreadable(): TrashContent['unreadable'] {
    return this.#unreadable;
  }

  find(id: string): Trashed | undefined {
    return this.#entries.get(id);
  }

  /** Bytes that are free for whoever needs them, as far as is known. */
  get bytes(): bigint {
    return this.#sum(({ frees = 0n }) => frees);
  }

  /** The same where what is not known is taken for as much as it can be. */
  get most(): bigint {
    return this.#sum(({ frees, object }) => frees ?? object.bytes);
  }

  #sum(of: (entry: Trashed) => bigint): bigint {
    let sum = 0n;
    for (const entry of this.#entries.values()) sum += of(entry);
    return sum;
  }

  /**
   * Takes the bytes of an object out of use durably; repeatable. Its own record is still there, says `deleting`, and goes when
   * this has returned: until then a crash only means that this is done again.
   */
  async put(object: Stored): Promise<void> {
    const { engine, measure, retentionMs, now, atPoint } = this.#parts;
    const { id } = object;
    if (retentionMs === 0 || ('ephemeral' in object && object.ephemeral !== undefined)) {
      await engine.moveToTrash(object);
      return;
    }
    await this.#locks.run(id, async () => {
      // One without bytes could never be brought back. One with a record was on its way here before a crash.
      if (!this.#entries.has(id) && (await engine.sizeOf(object)) !== undefined) {
        await this.#record({ object, deletedAt: now(), frees: await measure(object) });
      }
      atPoint('trash.recorded');
      await engine.moveToTrash(object);
      atPoint('trash.moved');
    });
  }

  async #record(entry: Trashed): Promise<void> {
    const { records, log } = this.#parts;
    try {
      await records.write(entry);
      this.#entries.set(entry.object.id, entry);
    } catch (error) {
      if (!['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '')) throw error;
      // Whoever deletes on a full disk wants its space, and there is none for a record.
      const { id, name } = entry.object;
      log.warn(
        { event: 'trash.not_kept', id, name },
        'the disk is too full to keep what was deleted; it is removed for good',
      );
    }
  }

  /** Removes what is over, and bytes that nobody keeps; a bounded number at once. Never throws: the next round tries again. */
  async purgeExpired(): Promise<void> {
    const { now, retentionMs } = this.#parts;
    // With a clock that was set back something may have been deleted in the future: without retention it goes all the same.
    const expired = this.list().filter(({ deletedAt }) => retentionMs === 0 || deletedAt <= now() - retentionMs);
    for (const entry of expired.slice(0, mostPerRound)) await this.#drop(entry, 'its time is over');
    await this.#sweep();
  }

  /**
   * Frees so many bytes, or all of it, the oldest first; false when nothing was removed. One whose figure is unknown is the last of
   * a call, for the caller to see what it gave. Asks nothing of the ledger, which waits for it.
   */
  async reclaim(bytes: bigint): Promise<boolean> {
    const { available } = await this.#parts.space();
    let [freed, removed] = [0n, false];
    for (const entry of this.list()) {
      if (freed >= bytes) break;
      if (this.#isShared(entry) || !(await this.#drop(entry, 'its space is needed'))) continue;
      removed = true;
      freed += entry.frees ?? bytes;
    }
    await this.#sweep();
    if (removed) await this.#untilFree(available + (freed < bytes ? freed : bytes));
    return removed;
  }

  /** XFS frees what was removed a moment later. Whoever looks too early would take more from the trash than is needed. */
  async #untilFree(wanted: bigint): Promise<void> {
    const never = new AbortController().signal;
    for (const wait of freeingWaits) {
      if ((await this.#parts.space()).available >= wanted) return;
      await pause(wait, never);
    }
  }

  /** Whether its bytes are those of something that lives: then its removal frees nothing. */
  #isShared({ object, frees, deletedAt }: Trashed): boolean {
    const isLater = (other: Trashed): boolean => other.object.family === object.family && other.deletedAt > deletedAt;
    // Or of something that was deleted later, which counts them: then they are freed with the last of both.
    return frees === 0n && ![...this.#entries.values()].some(isLater);
  }

  /**
   * Brings bytes and record back under the same ID, ready. The caller holds the ID and the name, and has made sure that neither
   * lives. Throws NOT_FOUND, or RESOURCE_EXHAUSTED when its space was promised to others.
   */
  async undelete(id: string): Promise<Stored> {
    return await this.#locks.run(id, async () => {
      const { records, log, atPoint } = this.#parts;
      const entry = this.#entries.get(id);
      if (entry === undefined) throw new BerthError('NOT_FOUND', `${id} is not in the trash`);
      const back = await takeBack(entry, this.#parts);
      this.#entries.delete(id);
      await records.remove(id).catch((error: unknown) => {
        const reason = messageOf(error);
        log.error({ event: 'trash.forget_failed', id, reason }, 'trash record could not be removed');
      });
      atPoint('undelete.forgotten');
      log.info({ event: 'trash.undeleted', id, name: back.name }, 'brought back');
      return back;
    });
  }

  /**
   * Forgets an entry; the bytes go with the next sweep. In this order, so that a crash leaves bytes without a record, which the
   * next start removes, and never a record that promises bytes. False when somebody else is at it, or the disk fails.
   */
  async #drop({ object: { id, name } }: Trashed, why: string): Promise<boolean> {
    // Not waited for: whoever holds it may wait for the ledger, and the ledger for us.
    if (this.#locks.busy(id)) return false;
    return await this.#locks.run(id, async () => {
      const { records, log } = this.#parts;
      if (!this.#entries.has(id)) return false;
      try {
        await records.remove(id);
      } catch (error) {
        log.error({ event: 'trash.purge_failed', id, reason: messageOf(error) }, 'could not be removed from the trash');
        return false;
      }
      this.#entries.delete(id);
      log.info({ event: 'trash.removed', id, name, why }, 'removed from the trash for good');
      return true;
    });
  }

  /** Frees what has no entry. */
  async #sweep(): Promise<void> {
    const { engine, poolId } = this.#parts;
    const kept = new Set(this.#unreadable.map(({ file }) => file.replace(/\.json$/, '')));
    try {
      await engine.emptyTrash((id) => isTrashable(id, poolId) && !kept.has(id) && !this.#entries.has(id));
    } catch (error) {
      const reason = messageOf(error);
      this.#parts.log.error({ event: 'trash.purge_failed', reason }, 'space in the trash could not be freed');
    }
  }
}
