/** The way out of the trash: bytes and record of what was deleted come back under the same ID, or stay where they are. */
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Engine, Stored } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import type { SnapshotState } from './snapshot.ts';
import type { RecordStore } from './store.ts';
import type { Trashed } from './trashrecords.ts';

/** What the trash asks of the pool's ledger. */
export interface TrashLedger {
  /** Promises what lies on the disk still its space again; throws RESOURCE_EXHAUSTED when others were promised it meanwhile. */
  readmit(object: Stored, onDisk: bigint): Promise<void>;
  release(id: string): Promise<void>;
}

export interface TakingBackParts {
  readonly engine: Pick<Engine, 'moveToTrash' | 'restoreFromTrash'>;
  /** Where the records of what lives are. */
  readonly store: Pick<RecordStore, 'write' | 'remove'>;
  readonly ledger: TrashLedger;
  readonly log: Logger;
  readonly atPoint: AtPoint;
}

/** The object, ready; its record in the trash is still there. Throws what stands against it, and then nothing has changed. */
export async function takeBack({ object, frees }: Trashed, parts: TakingBackParts): Promise<Stored> {
  const { engine, ledger, atPoint } = parts;
  await ledger.readmit(object, frees ?? 0n);
  try {
    // An intent that says `deleting`: after a crash the deletion is finished once more, and it lies in the trash as before.
    await write(object, 'deleting', parts);
    atPoint('undelete.intent');
    await engine.restoreFromTrash(object);
    atPoint('undelete.moved');
    const ready = await write(object, 'ready', parts);
    atPoint('undelete.ready');
    return ready;
  } catch (error) {
    await giveUp(object, parts);
    throw error;
  }
}

/** Puts an object back that could not be brought back. Should that fail too, the next start does it. */
async function giveUp(object: Stored, { engine, store, ledger, log }: TakingBackParts): Promise<void> {
  try {
    await engine.moveToTrash(object);
    await store.remove(object.id);
  } catch (error) {
    log.error({ event: 'trash.undelete_stuck', id: object.id, reason: messageOf(error) }, 'is half brought back');
  }
  await ledger.release(object.id);
}

async function write(object: Stored, state: SnapshotState, { store }: TakingBackParts): Promise<Stored> {
  if (!('sourceId' in object)) {
    const record = { ...object, state };
    await store.write({ kind: 'volume', record });
    return record;
  }
  // Its group was deleted with it and does not come back.
  const record = { ...object, state, groupId: undefined };
  await store.write({ kind: 'snapshot', record });
  return record;
}
