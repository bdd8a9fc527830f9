/** The first step of a deletion: its record says so, for the next start to go on with it. */
import { errnoOf } from '../kit/errors.ts';
import type { PoolParts } from './poolparts.ts';
import type { AnyRecord } from './store.ts';

/**
 * Makes it durable that a deletion has begun. On a disk that has no room for this it goes on without: only deletions make room
 * again. After a crash on the way the record then still says that the bytes should be there, until the call is repeated.
 */
export async function writeDeletionIntent(deleting: AnyRecord, { store, log }: PoolParts): Promise<void> {
  try {
    await store.write(deleting);
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '')) throw error;
    const { id } = deleting.record;
    log.warn(
      { event: 'pool.deletion_unrecorded', id },
      'the disk has no room to write down that this is being deleted',
    );
  }
}
