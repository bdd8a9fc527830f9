/** Volumes held still while something reads them: what is copied then is as if the power had failed after a sync. */
import { BerthError, messageOf } from '../kit/errors.ts';
import { withoutLimits } from './poollimits.ts';
import type { PoolParts } from './poolparts.ts';
import type { VolumeRecord } from './volume.ts';

/**
 * Pods wait while their filesystem is frozen. Sharing bytes takes milliseconds, and seconds where the file has very many extents
 * (1 to 6 s with 60,000 of them); copying takes the time of the disk.
 */
const limitMs = { shared: 20_000, full: 60_000, none: 0 } as const;

/**
 * Runs `work` while the volumes are frozen, and thaws them afterwards whatever happens, at the latest when the time is over: then
 * it throws TIMED_OUT, and what `work` made is worth nothing. A mark outlives a crash: the next start thaws.
 */
export function whileFrozen<T>(volumes: readonly VolumeRecord[], parts: PoolParts, work: () => Promise<T>): Promise<T> {
  return withoutLimits(volumes, parts, () => hold(volumes, parts, work));
}

async function hold<T>(
  volumes: readonly VolumeRecord[],
  { engine, nodeState, gracePeriods, log, onFrozen, atPoint }: PoolParts,
  work: () => Promise<T>,
): Promise<T> {
  const thaw = async (): Promise<void> => {
    for (const volume of volumes) {
      if (!nodeState.of(volume.id).frozen) continue;
      await engine.thaw(volume).catch((error: unknown) => {
        log.error({ event: 'volume.thaw_failed', volume: volume.id, reason: messageOf(error) }, 'volume stays frozen');
        throw error;
      });
      nodeState.set(volume.id, { ...nodeState.of(volume.id), frozen: false, hurried: false });
    }
  };
  const late = Promise.withResolvers<never>();
  const limit = limitMs[engine.offers.copies];
  let [hurried, isLate] = [false, false];
  const relax = (): void => {
    if (hurried) gracePeriods.relax();
    hurried = false;
  };
  const timer = setTimeout(() => {
    // A freeze that hangs must not have the machine hurry with it.
    relax();
    isLate = true;
    const seconds = limit / 1000;
    const error = new BerthError(
      'TIMED_OUT',
      `the pods were held still for ${seconds} s and it was not enough; try when they write less, or use a pool that can share bytes (XFS, btrfs)`,
    );
    void thaw().finally(() => {
      late.reject(error);
    });
  }, limit);
  late.promise.catch(() => undefined);
  let working: Promise<T> | undefined;
  const began = performance.now();
  try {
    // Not ours to end when somebody else hurries: an administrator, or the freeze of another pool.
    hurried = gracePeriods.areLong();
    for (const volume of volumes) nodeState.set(volume.id, { ...nodeState.of(volume.id), frozen: true, hurried });
    try {
      if (hurried) gracePeriods.hurry();
      atPoint('freeze.hurried');
      for (const volume of volumes) {
        const frozen = await engine.freeze(volume);
        // One that hung is frozen after the thaw that gave it up: that has to be done again.
        if (!frozen || isLate) nodeState.set(volume.id, { ...nodeState.of(volume.id), frozen, hurried: false });
        if (isLate) return await late.promise;
      }
    } finally {
      relax();
    }
    atPoint('freeze.frozen');
    working = work();
    return await Promise.race([working, late.promise]);
  } finally {
    clearTimeout(timer);
    await thaw();
    onFrozen((performance.now() - began) / 1000);
    // Whoever cleans up must not meet it half-way.
    await working?.catch(() => undefined);
  }
}
