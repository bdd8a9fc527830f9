/** Sessions of resources as the agent runs them, over states that the test sets. */
import { Registry } from 'prom-client';
import { createDeviceMetrics } from '../../deviceplugin/metrics.ts';
import { socketApproach, watcherApproach } from '../../deviceplugin/plugin/approach.ts';
import { createCdiFiles } from '../../deviceplugin/plugin/cdifiles.ts';
import type { CdiFiles } from '../../deviceplugin/plugin/cdifiles.ts';
import { state } from '../../deviceplugin/plugin/fake/state.ts';
import type { Holders } from '../../deviceplugin/plugin/holders.ts';
import { startSession } from '../../deviceplugin/plugin/session.ts';
import type { Session } from '../../deviceplugin/plugin/session.ts';
import type { ResourceState, Unit } from '../../deviceplugin/units/unit.ts';
import type { BackoffSchedule } from '../../kit/backoff.ts';
import { KeyedLock } from '../../kit/keyedlock.ts';
import { Latest } from '../../kit/latest.ts';
import type { Logger } from '../../kit/log.ts';

export interface PluginsOptions {
  readonly rootDir: string;
  readonly cdiDir: string;
  readonly log: Logger;
  readonly devRoot?: string;
  readonly registration?: 'socket' | 'watcher';
  readonly backoff?: BackoffSchedule;
}

export class Plugins {
  readonly registry = new Registry();
  readonly cdi: CdiFiles;
  readonly sessions = new Map<string, Session>();
  readonly allocated: string[] = [];
  readonly #options: PluginsOptions;
  readonly #metrics = createDeviceMetrics(this.registry);
  readonly #registrations = new KeyedLock();
  readonly #latest = new Map<string, Latest<ResourceState>>();

  constructor(options: PluginsOptions) {
    this.#options = options;
    const holders = new Latest<Holders | undefined>(new Map());
    this.cdi = createCdiFiles({ directory: options.cdiDir, holders, log: options.log, retryMs: 10 });
  }

  /** Starts the session of a resource, or gives it these units. */
  set(rule: object, units: readonly Unit[]): Session {
    const next = state(rule, units);
    const { name } = next.rule;
    const latest = this.#latest.get(name) ?? new Latest(next);
    this.#latest.set(name, latest);
    latest.set(next);
    void this.cdi.update(new Map([...this.#latest].map(([resource, each]) => [resource, each.value])));
    const session = this.sessions.get(name) ?? this.#start(latest);
    this.sessions.set(name, session);
    return session;
  }

  #start(latest: Latest<ResourceState>): Session {
    const { rootDir, log, devRoot = '/dev', registration, backoff } = this.#options;
    return startSession({
      latest,
      approach: registration === 'watcher' ? watcherApproach(rootDir) : socketApproach(rootDir, this.#registrations),
      context: {
        devRoot,
        cdi: this.cdi,
        cdiAvailable: () => true,
        allocated: (_resource, ids) => this.allocated.push(...ids),
      },
      log,
      metrics: this.#metrics,
      ...(backoff === undefined ? {} : { backoff }),
    });
  }

  /** Why not every resource is registered. */
  notReady(): string | undefined {
    const reasons = [...this.sessions.values()].map((session) => session.notReady());
    const missing = reasons.filter((reason) => reason !== undefined);
    return missing.length === 0 ? undefined : missing.join('; ');
  }

  async stop(deadline = AbortSignal.timeout(1_000)): Promise<void> {
    this.cdi.stop();
    await Promise.all([...this.sessions.values()].map((session) => session.stop(deadline)));
    this.sessions.clear();
    this.#latest.clear();
  }
}
