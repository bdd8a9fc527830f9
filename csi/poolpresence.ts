/** Whether a pool's folder is still the pool that was opened there: disks go, and others are mounted in their place. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError, messageOf } from '../kit/errors.ts';
import { readPoolIdentity } from './pool.ts';
import type { Pool } from './pool.ts';

/** Throws UNAVAILABLE, which callers repeat, when the folder is not the pool now. Cheap while it is. */
export type AssertPresent = () => Promise<void>;

/**
 * Asked before anything is written into the pool: records and images of this pool in the folder of another disk would be lost
 * when this one comes back, and what was deleted meanwhile would be there again.
 */
export function presenceOf({ name, path, id }: Pick<Pool, 'name' | 'path' | 'id'>): AssertPresent {
  let known: string | undefined;
  return async () => {
    const gone = (why: string): BerthError =>
      new BerthError('UNAVAILABLE', `pool "${name}" is not at ${path} now: ${why}; mount its disk there again`);
    try {
      // On this thread: it takes a few microseconds, and every call that changes something asks.
      const stat = statSync(join(path, 'pool.json'), { bigint: true, throwIfNoEntry: false });
      const now = stat === undefined ? '' : [stat.dev, stat.ino, stat.ctimeNs].join();
      if (now === known) return;
      const identity = await readPoolIdentity(path);
      if (identity === undefined) throw gone('there is no pool.json');
      if (identity.id !== id) throw gone(`pool ${identity.id} lies there, not ${id}`);
      known = now;
    } catch (error) {
      if (error instanceof BerthError && error.code === 'UNAVAILABLE') throw error;
      throw gone(messageOf(error));
    }
  };
}
