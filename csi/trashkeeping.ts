/** The trash of pools in the course of time: what is over goes, and what stands in the way of what lives. */
import { pause } from '../kit/backoff.ts';
import type { Ledger } from './ledger.ts';
import type { Trash } from './trash.ts';

interface TrashOfPool {
  readonly trash: Pick<Trash, 'purgeExpired' | 'reclaim'>;
  readonly ledger: Pick<Ledger, 'lacking'>;
}

const roundMs = 60_000;

/** A round now and then until the signal; resolves when the last has ended. `pools` are asked for anew each time. */
export async function keepTrash(pools: () => readonly TrashOfPool[], signal: AbortSignal): Promise<void> {
  while (await pause(roundMs, signal)) for (const pool of pools()) await keepOnce(pool);
}

/** One round. Never throws: the next tries again. */
export async function keepOnce({ trash, ledger }: TrashOfPool): Promise<void> {
  await trash.purgeExpired();
  try {
    const lacking = await ledger.lacking();
    if (lacking > 0n) await trash.reclaim(lacking);
  } catch {
    // A disk that does not answer lacks nothing that could be given to it.
  }
}
