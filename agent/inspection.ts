/**
 * What `berth get` reads: the services' views over HTTP on a Unix socket of mode 0600, because pods' names and addresses are
 * not everybody's on the node; and the few things commands can have done, by POST. Nothing depends on it: when it cannot
 * listen, it says so and tries again.
 */
import { randomBytes } from 'node:crypto';
import { chmod, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { delayOf, pause } from '../kit/backoff.ts';
import type { BackoffSchedule } from '../kit/backoff.ts';
import { BerthError, messageOf } from '../kit/errors.ts';
import type { ErrorCode } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';

const listenBackoff: BackoffSchedule = [1_000, 5_000, 30_000];

/** What is shown and done of each service. */
export type Inspected = Pick<Service, 'views' | 'actions'>;

export class Inspection {
  readonly #path: string;
  readonly #log: Logger;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #inode: number | undefined;

  constructor(path: string, services: readonly Inspected[], log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#server = createServer((request, response) => {
      void answer(request, response, services, log);
    });
    this.#server.requestTimeout = 5_000;
    this.#server.headersTimeout = 5_000;
  }

  start(): void {
    this.#loop = this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    if (!this.#server.listening) return;
    // A successor may have put its own socket there already.
    const found = await stat(this.#path).catch(() => undefined);
    if (found?.ino === this.#inode) await rm(this.#path, { force: true });
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #listen(): Promise<void> {
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt += 1) {
      // Renamed when it is closed to others, in place of what a killed agent left.
      const temporary = `${this.#path}.${randomBytes(3).toString('hex')}`;
      try {
        await new Promise<void>((resolve, reject) => {
          this.#server.once('error', reject);
          this.#server.listen(temporary, () => {
            this.#server.off('error', reject);
            resolve();
          });
        });
        await chmod(temporary, 0o600);
        this.#inode = (await stat(temporary)).ino;
        await rename(temporary, this.#path);
        return;
      } catch (error) {
        if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
        const wait = delayOf(listenBackoff, attempt);
        this.#log.warn(
          { event: 'inspection.listen_failed', path: this.#path, retryMs: wait, error: messageOf(error) },
          'berth get does not work: its socket cannot be made',
        );
        await pause(wait, this.#stopping.signal);
      }
    }
  }
}

/** What is no failure of the agent's has a status of its own; the rest is 500. */
const statuses: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 409,
  BUSY: 409,
  RESOURCE_EXHAUSTED: 409,
  UNAVAILABLE: 503,
};

/** Never rejects: whoever looks must not end what he looks at. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  services: readonly Inspected[],
  log: Logger,
): Promise<void> {
  const send = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  const url = URL.parse(request.url ?? '', 'http://localhost');
  const name = /^\/v1\/([a-z]+)$/.exec(url?.pathname ?? '')?.[1] ?? '';
  const tables = { GET: 'views', POST: 'actions' } as const;
  const named = (table: 'views' | 'actions'): ((of: string) => unknown)[] =>
    services.flatMap((service) => (Object.hasOwn(service[table] ?? {}, name) ? (service[table]?.[name] ?? []) : []));
  const method = request.method === 'GET' || request.method === 'POST' ? request.method : undefined;
  const asked = method === undefined ? [] : named(tables[method]);
  if (asked.length === 0) {
    if (named('views').length + named('actions').length > 0) send(405, { error: `${name} is not asked that way` });
    else send(404, { error: `this agent has no ${name}: the section for it is not configured`, absent: true });
    return;
  }
  try {
    const of = url?.searchParams.get('of') ?? '';
    const items = await Promise.all(asked.map((ask) => ask(of)));
    send(200, { items: items.flat() });
  } catch (error) {
    const status = error instanceof BerthError ? statuses[error.code] : undefined;
    if (status === undefined)
      log.error({ event: 'inspection.failed', view: name, error: messageOf(error) }, 'a view could not be made');
    if (response.headersSent) response.destroy();
    else if (status !== undefined) send(status, { error: messageOf(error) });
    else send(500, { error: `the agent could not make the view ${name}: ${messageOf(error)}` });
  }
}
