/** Whether the container runtime reads CDI files: asked until there is an answer, and again now and then. */
import { delayOf, pause } from '../kit/backoff.ts';
import type { BackoffSchedule } from '../kit/backoff.ts';

export interface CdiSupportTiming {
  /** Milliseconds between questions until one is answered. */
  readonly unanswered: BackoffSchedule;
  /** From an answer to the next question: a node may get another runtime while the agent runs. */
  readonly answeredMs: number;
}

/** At a node's first start the kubelet says some seconds later which runtime it has. */
const usual: CdiSupportTiming = { unanswered: [0, 1_000, 5_000, 30_000], answeredMs: 30 * 60_000 };

/** Calls `told` with each answer until `signal` fires. While there is none the last one stays. Never throws. */
export async function followCdiSupport(
  ask: (signal: AbortSignal) => Promise<boolean>,
  told: (reads: boolean) => void,
  signal: AbortSignal,
  timing = usual,
): Promise<void> {
  let attempt = 0;
  while (await pause(delayOf(timing.unanswered, attempt), signal))
    try {
      told(await ask(signal));
      attempt = 0;
      await pause(timing.answeredMs, signal);
    } catch {
      // No API server, or no answer yet: until then devices are named to the kubelet.
      attempt++;
    }
}
