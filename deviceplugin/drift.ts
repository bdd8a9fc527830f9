/** Whether the kubelet has the list that was sent to it: asked now and then, and told as a number to be alerted on. */
import { pause } from '../kit/backoff.ts';
import { countAllocatable } from '../kubelet/podresources.ts';
import type { DeviceMetrics } from './metrics.ts';
import type { Snapshot } from './units/unit.ts';

export interface DriftOptions {
  /** The kubelet's root directory. */
  readonly rootDir: string;
  readonly snapshot: () => Snapshot;
  readonly metrics: Pick<DeviceMetrics, 'drift'>;
  readonly signal: AbortSignal;
  /** Milliseconds between questions. Default a minute. */
  readonly everyMs?: number;
}

/** Asks until `signal` fires; what a kubelet that does not answer was last seen with stays. Never throws. */
export async function watchDrift({
  rootDir,
  snapshot,
  metrics,
  signal,
  everyMs = 60_000,
}: DriftOptions): Promise<void> {
  while (await pause(everyMs, signal))
    try {
      const counts = await countAllocatable(rootDir, signal);
      for (const [resource, { rule, units }] of snapshot()) {
        const healthy = units.values().reduce((sum, unit) => sum + (unit.unhealthy === undefined ? 1 : 0), 0);
        metrics.drift(resource, (counts.get(resource) ?? 0) - healthy * rule.sharing.replicas);
      }
    } catch {
      // A kubelet that is away is told of by the sessions, one that does not say who holds what by those who ask that.
    }
}
