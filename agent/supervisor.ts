/** Keeps each service going on its own: starts it, tries again when it cannot, tells its state, stops it. */
import { delayOf, pause } from '../kit/backoff.ts';
import type { BackoffSchedule } from '../kit/backoff.ts';
import { asBerthError } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';

/** Between two attempts to start the same service. */
export const startBackoff: BackoffSchedule = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

export class Supervisor {
  readonly name: string;
  readonly #service: Service;
  readonly #log: Logger;
  readonly #schedule: BackoffSchedule;
  readonly #stopping = new AbortController();
  #failures = 0;
  #running = false;
  #reason: string | undefined = 'is starting';
  #reported: string | undefined = 'is starting';
  #loop: Promise<void> = Promise.resolve();

  constructor(service: Service, log: Logger, schedule: BackoffSchedule = startBackoff) {
    this.name = service.name;
    this.#service = service;
    this.#log = log;
    this.#schedule = schedule;
  }

  /** Starts that have failed so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Begins starting the service; returns at once. */
  start(): void {
    this.#loop = this.#startUntilItServes();
  }

  /** Undefined when the service does its work now, else the reason. Changes since the last look are logged. */
  notReady(): string | undefined {
    const reason = this.#running ? this.#service.notReady() : this.#reason;
    if (reason !== this.#reported) {
      if (reason === undefined) this.#log.info({ event: 'service.ready', component: this.name }, 'ready');
      else this.#log.warn({ event: 'service.not_ready', component: this.name, reason }, 'not ready');
      this.#reported = reason;
    }
    return reason;
  }

  /** Ends a start that is under way and stops the service. Returns when it has, or when `deadline` fires: then false. */
  async stop(deadline: AbortSignal): Promise<boolean> {
    this.#stopping.abort();
    this.#reason = 'is stopping';
    const ended = Promise.withResolvers<boolean>();
    const late = (): void => {
      ended.resolve(false);
    };
    if (deadline.aborted) late();
    deadline.addEventListener('abort', late, { once: true });
    void this.#stopService(deadline).then(() => {
      ended.resolve(true);
    });
    const inTime = await ended.promise;
    deadline.removeEventListener('abort', late);
    return inTime;
  }

  async #startUntilItServes(): Promise<void> {
    const signal = this.#stopping.signal;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const began = performance.now();
      try {
        await this.#service.start(signal);
        this.#running = true;
        const ms = Math.round(performance.now() - began);
        this.#log.info({ event: 'service.started', component: this.name, ms }, 'started');
        return;
      } catch (error) {
        // A start that was ended by stop has not failed.
        if (this.#stopping.signal.aborted) return;
        this.#failures += 1;
        const { code, message } = asBerthError(error);
        const wait = delayOf(this.#schedule, attempt);
        this.#reason = `could not start: ${message}`;
        // #reported follows, because this line already says it.
        this.#reported = this.#reason;
        this.#log.error({ event: 'service.start_failed', component: this.name, code, retryMs: wait }, message);
        await pause(wait, signal);
      }
    }
  }

  async #stopService(deadline: AbortSignal): Promise<void> {
    await this.#loop;
    if (!this.#running) return;
    try {
      await this.#service.stop(deadline);
    } catch (error) {
      const { code, message } = asBerthError(error);
      this.#log.error({ event: 'service.stop_failed', component: this.name, code }, message);
    }
    this.#running = false;
    this.#log.info({ event: 'service.stopped', component: this.name }, 'stopped');
  }
}
