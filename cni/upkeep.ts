/**
 * Looks after what the agent has put on the node and others can take away. Looks instead of events: each look is a few
 * microseconds, and events get lost exactly when a folder is replaced or a queue overflows, so one had to look anyhow.
 */
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';

export interface Care {
  /** What it is about: the metric's label. */
  readonly what: string;
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Whether pods that are attached lose connections without it. */
  readonly carriesPods?: boolean;
  /** Looks, and repairs what is amiss; returns whether it had to. Throws when it cannot: then pods are not served well. */
  mend(): Promise<boolean>;
}

export type RepairCounter = (what: string) => void;

/** The metric of repairs. */
export function createRepairCounter(registry: Registry): RepairCounter {
  const repairs = new Counter({
    name: 'berth_cni_repairs_total',
    help: 'Things that somebody took away or changed and the agent restored: table, forwarding, conflist, executable.',
    labelNames: ['what'],
    registers: [registry],
  });
  return (what) => {
    repairs.inc({ what });
  };
}

export class Upkeep {
  readonly #cares: readonly Care[];
  readonly #count: RepairCounter;
  readonly #log: Logger;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #looking = new Set<Promise<void>>();
  readonly #reasons = new Map<string, string>();
  readonly #carrying: ReadonlySet<string>;

  constructor(cares: readonly Care[], count: RepairCounter, log: Logger) {
    this.#cares = cares;
    this.#carrying = new Set(cares.filter(({ carriesPods }) => carriesPods).map(({ what }) => what));
    this.#count = count;
    this.#log = log;
  }

  /** Looks once at everything, then keeps looking. Never rejects. */
  async start(): Promise<void> {
    await Promise.all(this.#cares.map((care) => this.#look(care)));
    for (const care of this.#cares) {
      let busy = false;
      const timer = setInterval(() => {
        if (busy) return;
        busy = true;
        const look = this.#look(care).finally(() => {
          busy = false;
          this.#looking.delete(look);
        });
        this.#looking.add(look);
      }, care.everyMs);
      this.#timers.push(timer);
    }
  }

  /** Ends the looks; when it resolves, nothing is being repaired any more. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#looking);
  }

  /** What is broken and could not be repaired, or undefined. */
  notReady(): string | undefined {
    return this.#reasons.size === 0 ? undefined : [...this.#reasons.values()].join('; ');
  }

  /** Whether something is broken that attached pods need. */
  podsAreCutOff(): boolean {
    return [...this.#reasons.keys()].some((what) => this.#carrying.has(what));
  }

  async #look(care: Care): Promise<void> {
    const { what } = care;
    try {
      const repaired = await care.mend();
      this.#reasons.delete(what);
      if (!repaired) return;
      this.#count(what);
      this.#log.warn({ what }, 'restored what somebody took away or changed');
    } catch (error) {
      const reason = `${what} is broken and cannot be restored: ${messageOf(error)}`;
      if (this.#reasons.get(what) !== reason) this.#log.error({ what, error: messageOf(error) }, reason);
      this.#reasons.set(what, reason);
    }
  }
}
