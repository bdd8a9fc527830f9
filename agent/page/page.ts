/** The local page over HTTP: who may look, and what is answered. Part of the agent's endpoint, which is on loopback only. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isOwnHost } from './access.ts';
import type { PageKey } from './access.ts';
import { readAssets } from './assets.ts';
import type { Asset } from './assets.ts';
import { documentOf } from './document.ts';
import type { PageFacts } from './document.ts';
import { LivePage } from './livepage.ts';
import { takeFragments } from './sections.ts';
import { Views } from './views.ts';
import type { ViewSource } from './views.ts';

export interface PageOptions {
  readonly facts: PageFacts;
  readonly key: PageKey;
  /** Whose views are shown. */
  readonly sources: readonly ViewSource[];
  /** As in `LivePageOptions`; tests give others. */
  readonly intervalMs?: number;
  readonly mostClients?: number;
}

/** Nothing but this page's own files, and it in nobody's frame. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const commonHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': contentSecurityPolicy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // The address may carry the token.
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const plain = 'text/plain; charset=utf-8';
const howToGetIn =
  'This page tells the names of pods, so it needs a key. Run on this node as root:  berth page\n' +
  'or from elsewhere:  kubectl -n berth-system exec POD -- berth page\n' +
  'and open the address it prints. A new key is made whenever the agent starts.\n';

export class Page {
  readonly #facts: PageFacts;
  readonly #key: PageKey;
  readonly #live: LivePage;
  readonly #assets: ReadonlyMap<string, Asset>;

  constructor({ facts, key, sources, ...pace }: PageOptions) {
    const views = new Views(sources);
    this.#facts = facts;
    this.#key = key;
    this.#live = new LivePage({ ...pace, take: () => takeFragments(views) });
    this.#assets = readAssets();
  }

  /** Answers GET and HEAD of a path of the page; false when it is none. */
  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const asset = this.#assets.get(url.pathname);
    if (asset === undefined && url.pathname !== '/' && url.pathname !== '/events') return false;
    const send = (status: number, type: string, body: string | Buffer, more: Record<string, string> = {}): void => {
      response.writeHead(status, { ...commonHeaders, 'content-type': type, ...more });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const token = url.pathname === '/' ? url.searchParams.get('token') : null;
    if (!isOwnHost(request.headers.host))
      send(421, plain, 'this page is answered under 127.0.0.1 and localhost only\n');
    else if (token !== null && this.#key.fits(token))
      // The address without the token is what stays in the browser's history.
      send(303, plain, '', { location: '/', 'set-cookie': this.#key.setCookie });
    else if (token !== null || !this.#key.isIn(request.headers.cookie)) send(401, plain, howToGetIn);
    else if (asset !== undefined) send(200, asset.type, asset.content);
    else if (url.pathname === '/events') this.#follow(request, response, url, send);
    else {
      const { fragments, state } = await this.#live.now();
      send(200, 'text/html; charset=utf-8', documentOf(this.#facts, fragments, state));
    }
    return true;
  }

  stop(): void {
    this.#live.stop();
  }

  #follow(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    send: (status: number, type: string, body: string, more?: Record<string, string>) => void,
  ): void {
    const since = Number(request.headers['last-event-id'] ?? url.searchParams.get('since') ?? 0);
    const headers = { ...commonHeaders, 'content-type': 'text/event-stream' };
    if (request.method === 'HEAD') {
      send(200, headers['content-type'], '');
      return;
    }
    // Written by the first event: a client too many gets another status.
    response.statusCode = 200;
    response.setHeaders(new Map(Object.entries(headers)));
    if (this.#live.follow(response, Number.isSafeInteger(since) ? since : 0)) return;
    send(503, plain, 'as many as can look at once do so already; close another page\n', { 'retry-after': '10' });
  }
}
