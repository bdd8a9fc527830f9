/** Tells the cluster how this node is: looks now and then, keeps the BerthNode, tells events, takes the startup taint off. */
import { pause } from '../../kit/backoff.ts';
import type { EventRecorder } from './eventrecorder.ts';
import { happeningsOf } from './happenings.ts';
import type { Sight } from './happenings.ts';
import type { NodeRecord } from './noderecord.ts';
import { nodeStatusOf } from './nodestatus.ts';
import type { NodeViews } from './nodestatus.ts';
import type { StartupTaint } from './startuptaint.ts';

export interface NodeReporterParts {
  readonly nodeName: string;
  readonly version: string;
  /** What the agent shows now. Must not throw. */
  readonly look: () => Promise<NodeViews>;
  readonly record: Pick<NodeRecord, 'keep' | 'close'>;
  readonly events: Pick<EventRecorder, 'record'>;
  /** Undefined where nobody has one. */
  readonly taint?: Pick<StartupTaint, 'remove'> | undefined;
  readonly timings?: ReporterTimings;
}

/** Milliseconds. Tests give others. */
interface ReporterTimings {
  /** Between two looks, which cost the node alone. */
  readonly look: number;
  /** What an agent that starts gets until it serves, before it is said that it does not. */
  readonly patience: number;
}

const defaultTimings: ReporterTimings = { look: 5_000, patience: 15_000 };

/** Milliseconds for each thing that is still to be done at the end. */
const longestWaitMs = 2_000;

export class NodeReporter {
  readonly #parts: NodeReporterParts;
  readonly #timings: ReporterTimings;
  readonly #end = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: NodeReporterParts) {
    this.#parts = parts;
    this.#timings = parts.timings ?? defaultTimings;
  }

  start(): void {
    this.#loop = this.#watch();
  }

  /**
   * Takes two seconds at most, and as many for a look that is under way, of a part that hangs: that nobody looks any more is
   * worth telling, and not worth waiting for.
   */
  async stop(): Promise<void> {
    this.#end.abort();
    const patience = new AbortController();
    await Promise.race([this.#loop, pause(longestWaitMs, patience.signal)]);
    patience.abort();
    await this.#parts.record.close(AbortSignal.timeout(longestWaitMs));
  }

  async #watch(): Promise<void> {
    const { signal } = this.#end;
    const { nodeName, version, look, record, events, taint } = this.#parts;
    const began = performance.now();
    let before: Sight | undefined;
    let begun = false;
    while (!signal.aborted) {
      const views = await look();
      // It may have taken so long that nobody waited for it.
      if (this.#end.signal.aborted) return;
      const status = nodeStatusOf(views, version);
      const serves = status.conditions.every((condition) => condition.status === 'True');
      begun ||= serves || performance.now() - began >= this.#timings.patience;
      if (begun) {
        const sight = { views, conditions: status.conditions };
        for (const happening of happeningsOf(nodeName, before, sight)) await events.record(happening, signal);
        before = sight;
        await record.keep(status, signal);
        if (serves) await taint?.remove(signal);
      }
      // Not all nodes of a cluster at once. Until it serves somebody may wait for it.
      await pause((serves ? this.#timings.look : this.#timings.look / 5) * (0.9 + 0.2 * Math.random()), signal);
    }
  }
}
