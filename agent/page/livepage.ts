/**
 * The newest state of the page, made once for everybody, only while somebody looks, and the connections that are told what
 * changed. Taking a state is work beside that for pods, so it is done at most once a second and at most a tenth of the time.
 */
import type { ServerResponse } from 'node:http';
import type { Fragment } from './sections.ts';

export interface LivePageOptions {
  /** Never rejects. */
  readonly take: () => Promise<readonly Fragment[]>;
  /** Milliseconds between two states at least. */
  readonly intervalMs?: number;
  readonly mostClients?: number;
}

interface Client {
  readonly response: ServerResponse;
  /** What is newer it has not been told yet. */
  told: number;
  /** When it was last written to, milliseconds of `performance.now()`. */
  at: number;
}

interface Kept extends Fragment {
  /** The number of the change that made it. */
  readonly changed: number;
}

/** A connection that takes nothing for so long is cut, and one that is quiet for half of it hears a comment. */
const patienceMs = 30_000;

export class LivePage {
  readonly #take: () => Promise<readonly Fragment[]>;
  readonly #intervalMs: number;
  readonly #mostClients: number;
  readonly #clients = new Set<Client>();
  #fragments: readonly Kept[] = [];
  #state = 0;
  #taking: Promise<void> | undefined;
  /** Not before then. */
  #nextAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor({ take, intervalMs = 1_000, mostClients = 8 }: LivePageOptions) {
    this.#take = take;
    this.#intervalMs = intervalMs;
    this.#mostClients = mostClients;
  }

  /** The state for a page that is loaded now. */
  async now(): Promise<{ readonly fragments: readonly Fragment[]; readonly state: number }> {
    if (performance.now() >= this.#nextAt) await this.#refresh();
    return { fragments: this.#fragments, state: this.#state };
  }

  /** Begins to tell a client what is newer than `told`, as server-sent events. False when there are too many already. */
  follow(response: ServerResponse, told: number): boolean {
    if (this.#clients.size >= this.#mostClients || this.#stopped) return false;
    // A number of another agent means nothing here.
    const client = { response, told: told > this.#state ? 0 : told, at: performance.now() };
    this.#clients.add(client);
    response.on('close', () => {
      this.#clients.delete(client);
    });
    response.write('retry: 2000\n\n');
    this.#tell(client);
    this.#schedule();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { response } of this.#clients) response.end();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#clients.size === 0 || this.#stopped) return;
    const wait = Math.max(0, this.#nextAt - performance.now());
    this.#timer = setTimeout(() => {
      void this.#refresh().finally(() => {
        this.#timer = undefined;
        if (this.#stopped) return;
        for (const client of this.#clients) this.#tell(client);
        this.#schedule();
      });
    }, wait);
  }

  #refresh(): Promise<void> {
    this.#taking ??= this.#takeState().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #takeState(): Promise<void> {
    const began = performance.now();
    const before = new Map(this.#fragments.map((fragment) => [fragment.id, fragment]));
    const next = this.#state + 1;
    this.#fragments = (await this.#take()).map((fragment) => {
      const old = before.get(fragment.id);
      return old?.html === fragment.html && old.hidden === fragment.hidden ? old : { ...fragment, changed: next };
    });
    if (this.#fragments.some(({ changed }) => changed === next)) this.#state = next;
    this.#nextAt = Math.max(began + this.#intervalMs, performance.now() + 9 * (performance.now() - began));
  }

  #tell(client: Client): void {
    const { response, told } = client;
    const now = performance.now();
    // What it does not take is not piled up: later it is told the newest.
    if (response.writableEnded) return;
    if (response.writableNeedDrain) {
      if (now - client.at > patienceMs) response.destroy();
      return;
    }
    const news = this.#fragments.filter(({ changed }) => changed > told);
    if (news.length === 0 && now - client.at < patienceMs / 2) return;
    const parts = news.map(({ id, html, hidden }) => ({ id, html, hidden }));
    response.write(
      news.length === 0 ? ':\n\n' : `id: ${this.#state}\nevent: parts\ndata: ${JSON.stringify(parts)}\n\n`,
    );
    client.told = this.#state;
    client.at = now;
  }
}
