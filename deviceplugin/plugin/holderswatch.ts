/**
 * Asking the kubelet who holds what: soon after each allocation, else every half minute, and never more than once a second,
 * for the kubelet answers only so many a second to all who ask.
 */
import { defaultBackoff, delayOf, pause } from '../../kit/backoff.ts';
import { asBerthError } from '../../kit/errors.ts';
import { Latest } from '../../kit/latest.ts';
import type { Logger } from '../../kit/log.ts';
import { listPodResources } from '../../kubelet/podresources.ts';
import { holdersOf, sameHolders } from './holders.ts';
import type { Holders } from './holders.ts';

export interface HoldersWatch {
  /** The last answer; undefined until the kubelet has given one. While it is away, what it said last. */
  readonly latest: Latest<Holders | undefined>;
  /** A container was given something: asks again soon. */
  allocated(): void;
  /** Asks no more. Never throws. */
  stop(): Promise<void>;
}

export interface HoldersWatchOptions {
  /** The kubelet's root directory. */
  readonly rootDir: string;
  readonly log: Logger;
  readonly timing?: HoldersTiming;
}

export interface HoldersTiming {
  /** Milliseconds between two questions when nothing happens. */
  readonly everyMs: number;
  /** From an allocation to the question: the pod is listed once it is admitted. */
  readonly soonMs: number;
  /** Between two questions whatever happens. */
  readonly leastMs: number;
}

const usual: HoldersTiming = { everyMs: 30_000, soonMs: 200, leastMs: 1_000 };

/** Milliseconds from the last question to the next. `wanted`: there was an allocation; `failures`: answers in a row that failed. */
export function untilNext(timing: HoldersTiming, wanted: boolean, failures: number, random = Math.random): number {
  if (failures > 0) return Math.max(timing.leastMs, delayOf(defaultBackoff, failures, random));
  return wanted ? Math.max(timing.leastMs, timing.soonMs) : timing.everyMs;
}

export function watchHolders({ rootDir, log, timing = usual }: HoldersWatchOptions): HoldersWatch {
  const latest = new Latest<Holders | undefined>(undefined);
  const end = new AbortController();
  let wake = new AbortController();
  let wanted = false;
  const isWanted = (): boolean => wanted;
  let told = '';

  /** True when the kubelet answered. */
  const ask = async (): Promise<boolean> => {
    try {
      const holders = holdersOf(await listPodResources(rootDir, end.signal));
      if (told !== '') log.info({ event: 'device.holders_known' }, 'the kubelet says again who holds what');
      told = '';
      if (!sameHolders(latest.value, holders)) latest.set(holders);
      return true;
    } catch (thrown) {
      if (end.signal.aborted) return false;
      const { code, message: reason } = asBerthError(thrown);
      // A kubelet that is away is told of by the sessions.
      if (code !== told && code !== 'UNAVAILABLE')
        log.warn({ event: 'device.holders_unknown', code, reason }, 'the kubelet does not say who holds what');
      told = code;
      return false;
    }
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    while (!end.signal.aborted) {
      wanted = false;
      wake = new AbortController();
      failures = (await ask()) ? 0 : failures + 1;
      const askedAt = performance.now();
      // An allocation shortens a long wait, but only down to what the kubelet bears.
      if (!isWanted()) await pause(untilNext(timing, false, failures), AbortSignal.any([end.signal, wake.signal]));
      if (isWanted()) {
        const left = askedAt + untilNext(timing, true, failures) - performance.now();
        await pause(Math.max(left, timing.soonMs), end.signal);
      }
    }
  };

  const running = run();
  return {
    latest,
    allocated: () => {
      wanted = true;
      wake.abort();
    },
    stop: async () => {
      end.abort();
      await running;
    },
  };
}
