/** The local page in the life of the agent: its key told to root at the start, and what the agent itself contributes to it. */
import { readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { delayOf, pause } from '../../kit/backoff.ts';
import type { BackoffSchedule } from '../../kit/backoff.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { Service } from '../../kit/service.ts';
import { otherParts } from './otherparts.ts';
import type { AgentSettings } from '../settings.ts';
import { version } from '../version.ts';
import { PageKey } from './access.ts';
import { Page } from './page.ts';
import { tokenPathOf, writeToken } from './tokenfile.ts';
import { viewsOf } from './views.ts';

/** The item of the view `agent`. */
export interface AgentView {
  readonly node: string;
  readonly version: string;
  /** Loopback TCP port of the page. */
  readonly port: number;
  /** Beside it lies the key of the page. */
  readonly socket: string;
  /** When it started, ISO 8601. */
  readonly since: string;
}

export interface LocalPageParts {
  readonly settings: Pick<AgentSettings, 'port' | 'socket' | 'nodeName'>;
  /** Whose views are shown. */
  readonly services: readonly Pick<Service, 'views'>[];
  readonly log: Logger;
}

const tokenBackoff: BackoffSchedule = [1_000, 5_000, 30_000];

export class LocalPage {
  readonly page: Page;
  /** What the agent tells of itself, here and to `berth`. */
  readonly own: Pick<Service, 'views'>;
  readonly #socket: string;
  readonly #log: Logger;
  readonly #key = new PageKey();
  readonly #stopping = new AbortController();
  #telling: Promise<void> = Promise.resolve();

  constructor({ settings, services, log }: LocalPageParts) {
    const { port, socket } = settings;
    this.#socket = socket;
    this.#log = log;
    const node = settings.nodeName ?? process.env['NODE_NAME'] ?? hostname();
    const since = Date.now();
    const agent: AgentView = { node, version, port, socket, since: new Date(since).toISOString() };
    this.own = { views: { agent: () => [agent] } };
    const sources = [...services.map(viewsOf), ...otherParts(socket)];
    this.page = new Page({ facts: { node, version, since }, key: this.#key, sources });
  }

  start(): void {
    this.#telling = this.#tell();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.page.stop();
    await this.#telling;
    const path = tokenPathOf(this.#socket);
    // A successor may have put its own there already.
    const found = await readFile(path, 'utf8').catch(() => '');
    if (found.trim() === this.#key.token) await rm(path, { force: true });
  }

  /** Nothing depends on the page: when its key cannot be written nobody looks, and it is tried again. */
  async #tell(): Promise<void> {
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt += 1) {
      try {
        writeToken(this.#socket, this.#key.token);
        return;
      } catch (error) {
        const wait = delayOf(tokenBackoff, attempt);
        this.#log.warn(
          { event: 'page.token_failed', path: tokenPathOf(this.#socket), retryMs: wait, error: messageOf(error) },
          'berth page does not work: the key of the page cannot be written',
        );
        await pause(wait, this.#stopping.signal);
      }
    }
  }
}
