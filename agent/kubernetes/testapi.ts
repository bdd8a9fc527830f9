/** For tests: an HTTP server on loopback that lists and watches as the Kubernetes API does, and misbehaves on request. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReadAccess } from './access.ts';

interface TestObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly [key: string]: unknown;
}

interface TestEvent {
  readonly version: number;
  readonly type: string;
  readonly object: TestObject;
}

export class TestApi {
  readonly #server: Server;
  readonly #objects = new Map<string, TestObject>();
  readonly #watches = new Set<ServerResponse>();
  #events: TestEvent[] = [];
  #version = 100;
  #oldest = 0;
  /** `list` or `watch` with what was asked, in order. */
  readonly requests: { readonly kind: 'list' | 'watch'; readonly query: URLSearchParams; readonly token: string }[] =
    [];
  /** Answers the next requests with these instead, without looking at them. */
  readonly refusals: { readonly status: number; readonly headers?: Record<string, string> }[] = [];
  token = 'first';

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get access(): ReadAccess {
    const { port } = this.#server.address() as AddressInfo;
    return () => Promise.resolve({ server: new URL(`http://127.0.0.1:${port}`), token: this.token });
  }

  get watches(): number {
    return this.#watches.size;
  }

  put(name: string, fields: Readonly<Record<string, unknown>>): void {
    const type = this.#objects.has(name) ? 'MODIFIED' : 'ADDED';
    const object = { metadata: { name, resourceVersion: String(++this.#version) }, ...fields };
    this.#objects.set(name, object);
    this.#tell({ version: this.#version, type, object });
  }

  delete(name: string): void {
    const gone = this.#objects.get(name);
    this.#objects.delete(name);
    if (gone === undefined) throw new Error(`there is no ${name}`);
    const metadata = { name, resourceVersion: String(++this.#version) };
    this.#tell({ version: this.#version, type: 'DELETED', object: { ...gone, metadata } });
  }

  bookmark(): void {
    const object = { metadata: { resourceVersion: String(this.#version) } };
    this.sendRaw(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  }

  /** Forgets the events so far: who wants to go on from an earlier version is told that it is gone. */
  compact(): void {
    this.#events = [];
    this.#oldest = this.#version;
  }

  /** Breaks all watches, as a restart of the server does. */
  cut(): void {
    for (const response of this.#watches) response.destroy();
    this.#watches.clear();
  }

  /** Ends all watches in good order. */
  finish(): void {
    for (const response of this.#watches) response.end();
    this.#watches.clear();
  }

  sendRaw(text: string): void {
    for (const response of this.#watches) response.write(text);
  }

  #tell(event: TestEvent): void {
    this.#events.push(event);
    this.sendRaw(lineOf(event));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { searchParams: query } = new URL(request.url ?? '', 'http://api');
    const watch = query.get('watch') === '1';
    this.requests.push({ kind: watch ? 'watch' : 'list', query, token: request.headers.authorization ?? '' });
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal.status, refusal.headers).end(JSON.stringify({ kind: 'Status', message: 'refused' }));
      return;
    }
    response.setHeader('content-type', 'application/json');
    if (!watch) {
      response.end(JSON.stringify(this.#page(Number(query.get('limit')), Number(query.get('continue') ?? 0))));
      return;
    }
    const from = Number(query.get('resourceVersion'));
    response.flushHeaders();
    if (from < this.#oldest) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`);
      return;
    }
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
    for (const event of this.#events.filter(({ version }) => version > from)) response.write(lineOf(event));
  }

  #page(limit: number, begin: number): object {
    const all = [...this.#objects.values()];
    const end = begin + limit;
    return {
      kind: 'NodeList',
      metadata: { resourceVersion: String(this.#version), ...(end < all.length ? { continue: String(end) } : {}) },
      items: all.slice(begin, end),
    };
  }
}

function lineOf({ type, object }: TestEvent): string {
  return `${JSON.stringify({ type, object })}\n`;
}
