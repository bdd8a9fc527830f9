/** The agent's HTTP endpoint on loopback: /livez, /readyz, /metrics, and the page. Never needed for a pod's network, device or volume. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { BackoffSchedule } from '../kit/backoff.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { formatReadiness, isReady } from './health.ts';
import type { ServiceState } from './health.ts';
import { listenUntilItDoes } from './listen.ts';
import type { Page } from './page/page.ts';

/** The address is fixed: what is served here is for the node's kubelet and its administrator. */
const address = '127.0.0.1';

export interface EndpointSources {
  readonly states: () => readonly ServiceState[];
  /** Text in the Prometheus format and its content type. */
  readonly metrics: () => Promise<string>;
  readonly metricsType: string;
  /** What else is served; without it nothing. */
  readonly page?: Pick<Page, 'answer'>;
}

export class Endpoint {
  readonly #port: number;
  readonly #schedule: BackoffSchedule | undefined;
  readonly #log: Logger;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(port: number, sources: EndpointSources, log: Logger, schedule?: BackoffSchedule) {
    this.#port = port;
    this.#schedule = schedule;
    this.#log = log;
    this.#server = createServer((request, response) => {
      answer(request, response, sources, log).catch((error: unknown) => {
        log.error({ event: 'endpoint.answer_failed' }, messageOf(error));
        response.destroy();
      });
    });
    // Accepting may fail (no descriptors left); without a listener that would end the process.
    this.#server.on('error', (error) => {
      if (this.#server.listening) log.error({ event: 'endpoint.accept_failed' }, messageOf(error));
    });
    this.#server.requestTimeout = 5_000;
    this.#server.headersTimeout = 5_000;
  }

  /** Begins to listen; a port in use is reported and tried again, because the services do not depend on it. */
  start(): void {
    const at = { host: address, port: this.#port, setting: 'agent.port' };
    const signal = this.#stopping.signal;
    this.#loop = listenUntilItDoes(this.#server, at, { log: this.#log, schedule: this.#schedule, signal }).then(
      (listens) => {
        if (listens)
          this.#log.info({ event: 'endpoint.listening', address, port: this.#port }, 'health and metrics are served');
      },
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  sources: EndpointSources,
  log: Logger,
): Promise<void> {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  const text = 'text/plain; charset=utf-8';
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(405, text, 'only GET is answered here\n');
    return;
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) {
    send(400, text, 'this is no path\n');
    return;
  }
  switch (url.pathname) {
    case '/livez':
      // That this line runs shows that the event loop turns; nothing else may get the agent killed.
      send(200, text, 'ok\n');
      return;
    case '/readyz': {
      const states = sources.states();
      const status = isReady(states) ? 200 : 503;
      const services = states.map(({ name, reason }) => ({ name, ready: reason === undefined, reason }));
      if (url.searchParams.get('format') === 'json')
        send(status, 'application/json', `${JSON.stringify({ ready: status === 200, services })}\n`);
      else send(status, text, formatReadiness(states));
      return;
    }
    case '/metrics':
      try {
        send(200, sources.metricsType, await sources.metrics());
      } catch (error) {
        log.error({ event: 'metrics.failed' }, messageOf(error));
        send(500, text, 'the metrics could not be collected\n');
      }
      return;
    default:
      if ((await sources.page?.answer(request, response, url)) === true) return;
      send(404, text, 'known here: /livez /readyz /metrics\n');
  }
}
