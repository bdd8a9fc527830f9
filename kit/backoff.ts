/** Waiting between attempts: exponential with jitter, bounded, and every wait ends at once when its signal fires. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Delays in milliseconds for attempt 0, 1, 2 …; the last one repeats. */
export type BackoffSchedule = readonly [number, ...number[]];

/** First attempt at once, then growing to ten seconds. */
export const defaultBackoff: BackoffSchedule = [0, 200, 500, 1_000, 2_000, 5_000, 10_000];

/** The delay before an attempt, in milliseconds, with ±20 % jitter so that many waiters do not come at once. */
export function delayOf(schedule: BackoffSchedule, attempt: number, random: () => number = Math.random): number {
  const base = schedule[Math.min(attempt, schedule.length - 1)] ?? schedule[0];
  return Math.round(base * (0.8 + 0.4 * random()));
}

/** Waits `ms`; returns false when the signal ended the wait (never throws). */
export async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  try {
    await sleep(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
