/** The running agent: every service under its supervisor, the endpoint, the event-loop watch; and the way back. */
import type { Registry } from 'prom-client';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';
import type { ConfigFile } from './config/configfile.ts';
import type { DoctorWatch } from './doctor/doctorwatch.ts';
import { Endpoint } from './endpoint.ts';
import { watchEventLoop } from './eventloop.ts';
import type { ServiceState } from './health.ts';
import { Inspection } from './inspection.ts';
import { registerServiceMetrics } from './metrics.ts';
import type { NetworkCondition } from './networkcondition.ts';
import { LocalPage } from './page/local.ts';
import type { NodeReporter } from './report/nodereporter.ts';
import type { ScrapeServer } from './scrape/scrapeserver.ts';
import type { AgentSettings } from './settings.ts';
import { Supervisor } from './supervisor.ts';
import { version } from './version.ts';

export interface DaemonParts {
  readonly settings: Pick<AgentSettings, 'port' | 'socket' | 'stopSeconds' | 'nodeName'>;
  readonly services: readonly Service[];
  readonly registry: Registry;
  readonly log: Logger;
  /** Tells the cluster how the node is; of an agent in parts, one of them has it. */
  readonly reporter?: Pick<NodeReporter, 'start' | 'stop'> | undefined;
  /** Looks at the node now and then; the view `doctor` shows what it finds. */
  readonly doctor?: Pick<DoctorWatch, 'start' | 'stop' | 'findings'> | undefined;
  /** Follows the configuration file, where there is one; the view `configuration` shows how it is. */
  readonly configFile?: Pick<ConfigFile, 'start' | 'stop' | 'view'> | undefined;
  /** Serves the metrics to the cluster's Prometheus. */
  readonly scrapeServer?: Pick<ScrapeServer, 'start' | 'stop'> | undefined;
  /** Tells the API server about the service `network`; `notReady` says how it is. */
  readonly createNetworkCondition?: ((notReady: () => string | undefined) => NetworkCondition) | undefined;
}

export class Daemon {
  readonly #parts: DaemonParts;
  readonly #supervisors: readonly Supervisor[];
  readonly #endpoint: Endpoint;
  readonly #inspection: Inspection;
  readonly #localPage: LocalPage;
  readonly #condition: NetworkCondition | undefined;
  #stopping = false;
  #endWatch: () => void = () => undefined;

  constructor(parts: DaemonParts) {
    const { services, registry, log, settings } = parts;
    this.#parts = parts;
    this.#supervisors = services.map((service) => new Supervisor(service, log));
    registerServiceMetrics(registry, this.#supervisors);
    const own = {
      views: {
        services: () => this.states().map((state) => ({ ...state, version })),
        doctor: () => parts.doctor?.findings ?? [],
        configuration: async () => (parts.configFile === undefined ? [] : [await parts.configFile.view()]),
      },
    };
    this.#localPage = new LocalPage({ settings, services: [own, ...services], log });
    const sources = {
      page: this.#localPage.page,
      states: () => this.states(),
      metrics: () => registry.metrics(),
      metricsType: registry.contentType,
    };
    this.#endpoint = new Endpoint(settings.port, sources, log);
    const network = this.#supervisors.find(({ name }) => name === 'network');
    if (network !== undefined) this.#condition = parts.createNetworkCondition?.(() => network.notReady());
    this.#inspection = new Inspection(settings.socket, [own, this.#localPage.own, ...services], log);
  }

  /** Begins everything and returns at once: nothing waits for anything else. */
  start(): void {
    this.#endWatch = watchEventLoop(this.#parts.log);
    this.#endpoint.start();
    this.#parts.scrapeServer?.start();
    this.#inspection.start();
    this.#localPage.start();
    for (const supervisor of this.#supervisors) supervisor.start();
    this.#condition?.start();
    this.#parts.reporter?.start();
    this.#parts.doctor?.start();
    this.#parts.configFile?.start();
  }

  states(): readonly ServiceState[] {
    const states = this.#supervisors.map((each) => ({ name: each.name, reason: each.notReady() }));
    return this.#stopping ? [...states, { name: 'agent', reason: 'is stopping' }] : states;
  }

  /**
   * Stops every service at the same time, with `stopSeconds` for the calls in flight; the endpoint ends last, so that
   * /readyz tells that we stop. False when a service did not end in time (it is named in the log).
   */
  async stop(): Promise<boolean> {
    this.#stopping = true;
    this.#parts.configFile?.stop();
    this.#parts.doctor?.stop();
    const { settings, log } = this.#parts;
    // Before the network stops: that an agent ends is no loss of the network.
    await Promise.all([this.#condition?.stop(), this.#parts.reporter?.stop()]);
    const deadline = AbortSignal.timeout(settings.stopSeconds * 1_000);
    const inTime = await Promise.all(
      this.#supervisors.map(async (each) => {
        const ended = await each.stop(deadline);
        if (!ended) {
          const text = `did not end within ${settings.stopSeconds} s; its calls in flight are cut off`;
          log.error({ event: 'service.stop_overdue', component: each.name }, text);
        }
        return ended;
      }),
    );
    await this.#localPage.stop();
    await this.#inspection.stop();
    await this.#parts.scrapeServer?.stop();
    await this.#endpoint.stop().catch((error: unknown) => {
      log.error({ event: 'endpoint.stop_failed' }, messageOf(error));
    });
    this.#endWatch();
    return inTime.every(Boolean);
  }
}
