/** Has the doctor look while the agent runs, so that what it finds is told without anybody asking for it. */
import { pause } from '../../kit/backoff.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import { catalogue } from './catalogue.ts';
import { runDoctor } from './doctor.ts';
import type { Finding } from './finding.ts';

/** Milliseconds. The first look comes when an agent that starts has done its own work. */
interface WatchTimings {
  readonly first: number;
  readonly every: number;
}

const defaultTimings: WatchTimings = { first: 10_000, every: 600_000 };

/** Of all nodes together these would cost the API server more than what they find; `berth doctor` asks for them. */
const leftOut = new Set(
  catalogue.filter(({ name }) => name === 'api').flatMap(({ probes }) => probes.map(({ id }) => id)),
);

export class DoctorWatch {
  readonly #look: (signal: AbortSignal) => Promise<readonly Finding[]>;
  readonly #log: Logger;
  readonly #timings: WatchTimings;
  readonly #end = new AbortController();
  #wake = new AbortController();
  #findings: readonly Finding[] = [];
  #loop: Promise<void> = Promise.resolve();

  constructor(
    current: () => NodeConfig,
    { env, log }: { readonly env: Readonly<Record<string, string | undefined>>; readonly log: Logger },
    timings = defaultTimings,
    look = runDoctor,
  ) {
    this.#look = (signal) => look(current(), { signal, env, skip: leftOut });
    this.#log = log;
    this.#timings = timings;
  }

  /** What the last look found; empty before the first. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** Something has changed that it would find. */
  lookAgain(): void {
    this.#wake.abort();
  }

  start(): void {
    this.#loop = this.#watch();
  }

  /** Waits for no probe: what one reads may never answer. */
  stop(): void {
    this.#end.abort();
    void this.#loop;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#end;
    for (let wait = this.#timings.first; ; wait = this.#timings.every) {
      if (!(await pause(wait, AbortSignal.any([signal, this.#wake.signal]))) && signal.aborted) return;
      // Who asks while it looks is told by one more look.
      this.#wake = new AbortController();
      try {
        const found = await this.#look(signal);
        this.#tell(found);
        this.#findings = found;
      } catch (error) {
        if (!signal.aborted) this.#log.error({ event: 'doctor.failed' }, messageOf(error));
      }
    }
  }

  /** What is new goes into the log, once. */
  #tell(found: readonly Finding[]): void {
    for (const { id, severity, message, fix } of found) {
      if (severity !== 'failure' && severity !== 'warning') continue;
      if (this.#findings.some((old) => old.id === id && old.message === message)) continue;
      const entry = { event: 'doctor.finding', probe: id, ...(fix === undefined ? {} : { fix }) };
      if (severity === 'failure') this.#log.error(entry, message);
      else this.#log.warn(entry, message);
    }
  }
}
