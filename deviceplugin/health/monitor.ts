/**
 * Probes units again and again, each at its interval, and keeps their verdicts. What the kernel tells by itself (gone, no
 * driver) is not its affair: that comes with the inventory, at once.
 */
import { isDeepStrictEqual } from 'node:util';
import type { HealthRule } from '../config/health.ts';
import { messageOf } from '../../kit/errors.ts';
import { judge, unprobed } from './hysteresis.ts';
import type { Observation, Verdict } from './hysteresis.ts';
import { isProbed } from './probe.ts';
import type { Subject } from './probe.ts';

export interface MonitorOptions {
  readonly probe: (subject: Subject, rule: HealthRule) => Promise<Observation>;
  /** Called after a verdict or its reason has changed. */
  readonly changed: () => void;
  readonly probed?: (resource: string, result: 'ok' | 'failed', seconds: number) => void;
}

interface Watched {
  subject: Subject;
  rule: HealthRule;
  verdict: Verdict;
  timer: NodeJS.Timeout | undefined;
  /** A probe that has not come back: until it does there is no second one, for what hangs once hangs again. */
  running: boolean;
}

/**
 * Probes in progress at once. Opening a broken device can hang in the kernel for ever and keeps one of Node's four threads
 * for file operations; two are left to everybody else.
 */
const maxRunning = 2;

export class HealthMonitor {
  readonly #options: MonitorOptions;
  readonly #watched = new Map<string, Watched>();
  #waiting: Watched[] = [];
  #running = 0;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** What is probed from now on. A unit that stays keeps its verdict; one that comes (again) is probed at once. */
  watch(units: readonly { readonly subject: Subject; readonly rule: HealthRule }[]): void {
    const now = new Set<string>();
    for (const { subject, rule } of units) {
      const key = keyOf(subject.resource, subject.id);
      now.add(key);
      const known = this.#watched.get(key);
      // A rule that says something else of other things leaves its units as they are.
      if (known !== undefined && (known.rule === rule || isDeepStrictEqual(known.rule, rule))) {
        known.subject = subject;
        known.rule = rule;
        continue;
      }
      if (known !== undefined) clearTimeout(known.timer);
      const watched: Watched = { subject, rule, verdict: unprobed, timer: undefined, running: false };
      this.#watched.set(key, watched);
      this.#enqueue(watched);
    }
    for (const [key, { timer }] of this.#watched)
      if (!now.has(key)) {
        clearTimeout(timer);
        this.#watched.delete(key);
      }
    // One that comes and goes while all probes hang must not stand here a thousand times.
    this.#waiting = this.#waiting.filter((watched) => this.#isCurrent(watched));
  }

  /** Why a unit is unhealthy by its rule; undefined when it is healthy or the rule asks for no probes. */
  problemOf(resource: string, id: string, rule: HealthRule): string | undefined {
    if (!isProbed(rule)) return undefined;
    // One that has just come is not watched yet.
    const { healthy, reason } = this.#watched.get(keyOf(resource, id))?.verdict ?? unprobed;
    return healthy ? undefined : reason;
  }

  stop(): void {
    this.watch([]);
  }

  #enqueue(watched: Watched): void {
    this.#waiting.push(watched);
    this.#next();
  }

  #next(): void {
    while (this.#running < maxRunning) {
      const watched = this.#waiting.shift();
      if (watched === undefined) return;
      if (this.#isCurrent(watched)) void this.#probe(watched);
    }
  }

  async #probe(watched: Watched): Promise<void> {
    const { subject, rule } = watched;
    const started = performance.now();
    this.#running++;
    watched.running = true;
    const ended = Promise.resolve()
      .then(() => this.#options.probe(subject, rule))
      .catch((thrown: unknown): Observation => `could not be probed: ${messageOf(thrown)}`)
      .finally(() => {
        this.#running--;
        watched.running = false;
        this.#next();
      });
    const late = Promise.withResolvers<Observation>();
    // A command has the same limit and ends by itself; this is for opens and reads that the kernel does not come back from.
    const limit = setTimeout(
      () => {
        late.resolve(`did not answer a probe within ${rule.timeoutSeconds} s`);
      },
      rule.timeoutSeconds * 1_000 + 500,
    );
    const observed = await Promise.race([ended, late.promise]);
    clearTimeout(limit);
    if (!this.#isCurrent(watched)) return;
    this.#options.probed?.(
      subject.resource,
      observed === undefined ? 'ok' : 'failed',
      (performance.now() - started) / 1_000,
    );
    const before = watched.verdict;
    watched.verdict = judge(before, observed, rule, performance.now());
    const { healthy, reason } = watched.verdict;
    if (healthy !== before.healthy || (!healthy && reason !== before.reason) || before === unprobed)
      this.#options.changed();
    this.#again(watched);
  }

  #again(watched: Watched): void {
    // Ten per cent of jitter, so that many units of one interval are not probed in one moment.
    const wait = watched.rule.intervalSeconds * 1_000 * (0.9 + 0.2 * Math.random());
    watched.timer = setTimeout(() => {
      if (watched.running) this.#overdue(watched);
      else this.#enqueue(watched);
    }, wait);
  }

  /** The probe before has still not come back: that is one more that failed. */
  #overdue(watched: Watched): void {
    const before = watched.verdict;
    watched.verdict = judge(before, 'has not answered an earlier probe yet', watched.rule, performance.now());
    if (watched.verdict.healthy !== before.healthy) this.#options.changed();
    this.#again(watched);
  }

  #isCurrent(watched: Watched): boolean {
    return this.#watched.get(keyOf(watched.subject.resource, watched.subject.id)) === watched;
  }
}

function keyOf(resource: string, id: string): string {
  return `${resource} ${id}`;
}
