/**
 * What a row of probes says of a unit: pure. It takes several in a row to change the verdict, so that one bad moment takes no
 * device away; a unit that changes again and again is held unhealthy for a while, so that the scheduler is not sent back and
 * forth; and whatever happened, enough good probes lead back to healthy.
 */
import type { HealthRule } from '../config/health.ts';

/** Undefined when the probe succeeded, else what failed, as a sentence without a subject ("does not open: …"). */
export type Observation = string | undefined;

export interface Verdict {
  readonly healthy: boolean;
  /** Of an unhealthy unit: why. */
  readonly reason: string;
  /** Probes in a row that contradict the verdict. */
  readonly against: number;
  /** When the verdict changed, of late: milliseconds of the caller's clock. */
  readonly changes: readonly number[];
  /** Until when it stays unhealthy, whatever the probes say. */
  readonly heldUntil: number;
}

/** More changes than this within a minute are flapping. */
const maxChanges = 6;
const flapWindowMs = 60_000;

/** Before the first probe: unhealthy, for a device that nobody has looked at must not be given away. */
export const unprobed: Verdict = {
  healthy: false,
  reason: 'was not probed yet',
  against: 0,
  changes: [],
  heldUntil: 0,
};

/** The verdict after one more probe at `now` milliseconds. */
export function judge(
  before: Verdict,
  observed: Observation,
  rule: Pick<HealthRule, 'failures' | 'successes'>,
  now: number,
): Verdict {
  const good = observed === undefined;
  const reason = observed ?? before.reason;
  // The first probe decides alone: there is no verdict to defend yet.
  if (before === unprobed) return { ...unprobed, healthy: good, reason };
  if (good === before.healthy) return { ...before, reason, against: 0 };
  const against = before.against + 1;
  const needed = good ? rule.successes : rule.failures;
  if (against < needed || (good && now < before.heldUntil))
    return { ...before, reason: before.healthy ? reason : before.reason, against };
  const changes = [...before.changes.filter((time) => now - time < flapWindowMs), now];
  const flaps = changes.length > maxChanges;
  return {
    healthy: good && !flaps,
    reason: good && flaps ? `changed ${changes.length} times within a minute; it is left alone for another` : reason,
    against: 0,
    changes,
    heldUntil: flaps ? now + flapWindowMs : before.heldUntil,
  };
}
