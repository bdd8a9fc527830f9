/** Brings something deleted back to life in its pool, as what it was. */
import { BerthError } from '../kit/errors.ts';
import type { Stored } from './engine.ts';
import type { PoolParts } from './poolparts.ts';
import { measure } from './promises.ts';

/**
 * The volume or snapshot, ready again. Throws NOT_FOUND when it is not in the trash, ALREADY_EXISTS when the ID lives, BUSY while it is
 * worked on, RESOURCE_EXHAUSTED when its space was promised to others. The caller holds the name.
 */
export function undelete(id: string, parts: PoolParts): Promise<Stored> {
  const { operations, volumes, snapshots, trash, ledger } = parts;
  return operations.exclusive(id, 'bringing back', async () => {
    const living = volumes.find(id) ?? snapshots.find(id);
    if (living !== undefined) throw new BerthError('ALREADY_EXISTS', `${id} is not deleted; it is ${living.state}`);
    const onDisk = trash.find(id)?.frees ?? 0n;
    const back = await trash.undelete(id);
    if ('sourceId' in back) snapshots.enter(back);
    else volumes.enter(back);
    await ledger.settle(id, onDisk);
    await measure(back.family, parts);
    return back;
  });
}
