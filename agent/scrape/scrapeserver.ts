/** Metrics for the cluster's Prometheus: an HTTPS server that answers `GET /metrics` to those whom the API server knows and allows. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { BackoffSchedule } from '../../kit/backoff.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { listenUntilItDoes } from '../listen.ts';
import type { Bearers } from './bearers.ts';
import { selfSigned } from './certificate.ts';
import { followKeyPair } from './keypair.ts';
import type { KeyPairFiles } from './keypair.ts';
import { metricsPath } from './review.ts';

export interface ScrapeParts {
  readonly address: string;
  readonly port: number;
  /** Without them: a certificate of our own that nobody can verify. */
  readonly files: KeyPairFiles | undefined;
  readonly bearers: Pick<Bearers, 'verdictOf'>;
  /** Text in the Prometheus format and its content type. */
  readonly metrics: () => Promise<string>;
  readonly metricsType: string;
  readonly log: Logger;
  readonly schedule?: BackoffSchedule;
}

/** More than the replicas of a Prometheus and a few people with curl are strangers. */
const mostConnections = 64;
/** A token of 8 KiB and the usual headers. */
const largestHeader = 12 * 1024;

export class ScrapeServer {
  readonly #parts: ScrapeParts;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  #loop: Promise<unknown> = Promise.resolve();

  constructor(parts: ScrapeParts) {
    this.#parts = parts;
    const { log, files } = parts;
    this.#server = createServer(
      {
        // From files it comes in `start`; until then every handshake fails.
        ...(files === undefined ? selfSigned(Date.now()) : {}),
        minVersion: 'TLSv1.2',
        handshakeTimeout: 5_000,
        maxHeaderSize: largestHeader,
        headersTimeout: 5_000,
        requestTimeout: 5_000,
        // Prometheus keeps a connection from one scrape to the next.
        keepAliveTimeout: 90_000,
        // How often the two above are looked at.
        connectionsCheckingInterval: 5_000,
      },
      (request, response) => {
        answer(request, response, parts).catch((error: unknown) => {
          log.error({ event: 'metrics.answer_failed' }, messageOf(error));
          response.destroy();
        });
      },
    );
    this.#server.maxConnections = mostConnections;
    this.#server.maxHeadersCount = 32;
    // Who reads nothing of an answer.
    this.#server.timeout = 30_000;
    // Accepting may fail (no descriptors left); without a listener that would end the process.
    this.#server.on('error', (error) => {
      if (this.#server.listening) log.error({ event: 'endpoint.accept_failed' }, messageOf(error));
    });
  }

  /** Where it listens; undefined while it does not. */
  get port(): number | undefined {
    const at = this.#server.address();
    return typeof at === 'object' ? at?.port : undefined;
  }

  /** Begins to listen and returns at once; what is in the way is reported and tried again. */
  start(): void {
    const { address: host, port, files, log, schedule } = this.#parts;
    const { signal } = this.#stopping;
    const use = this.#server.setSecureContext.bind(this.#server);
    if (files !== undefined) followKeyPair(files, use, { log, signal });
    const at = { host, port, setting: 'agent.metrics.port' };
    this.#loop = listenUntilItDoes(this.#server, at, { log, schedule, signal }).then((listens) => {
      if (listens) log.info({ event: 'metrics.listening', address: host, port }, 'metrics are served to those who may');
    });
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

async function answer(request: IncomingMessage, response: ServerResponse, parts: ScrapeParts): Promise<void> {
  const send = (status: number, body: string, more: Readonly<Record<string, string>> = {}): void => {
    const type = status === 200 ? parts.metricsType : 'text/plain; charset=utf-8';
    // Only who may read keeps a connection: strangers would hold all there are.
    const connection = status === 200 ? {} : { connection: 'close' };
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...connection, ...more });
    response.end(body);
  };
  if (request.method !== 'GET') {
    send(405, 'only GET is answered here\n', { allow: 'GET' });
    return;
  }
  if (request.url?.replace(/\?.*$/, '') !== metricsPath) {
    send(404, `only ${metricsPath} is answered here\n`);
    return;
  }
  const verdict = await parts.bearers.verdictOf(request.headers.authorization);
  if (!verdict.allowed) {
    const { status, reason } = verdict;
    send(status, `${reason}\n`, {
      ...(status === 401 ? { 'www-authenticate': 'Bearer realm="berth"' } : {}),
      ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
    });
    return;
  }
  try {
    send(200, await parts.metrics());
  } catch (error) {
    parts.log.error({ event: 'metrics.failed' }, messageOf(error));
    send(500, 'the metrics could not be collected; the log of the agent says why\n');
  }
}
