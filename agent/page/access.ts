/** Who may look at the page: whoever has the token of this agent, which the command `berth page` tells root. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Names under which a browser on this machine finds the page. Any other leads here by a name server that lies. */
const ownHosts: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Whether the Host header is one of loopback, with any port: `kubectl port-forward` has its own. */
export function isOwnHost(host: string | undefined): boolean {
  return ownHosts.has(/^(.*?)(:\d{1,5})?$/.exec(host?.toLowerCase() ?? '')?.[1] ?? '');
}

export class PageKey {
  readonly token: string;
  /** Browsers keep cookies by host and not by port: those of several nodes, each forwarded to a port, need names of their own. */
  readonly #cookie: string;

  constructor(token = randomBytes(32).toString('base64url')) {
    this.token = token;
    this.#cookie = `berth-page-${digest(token).toString('hex').slice(0, 8)}`;
  }

  /** Value of the header that sets the cookie, until the browser ends. */
  get setCookie(): string {
    return `${this.#cookie}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
  }

  fits(token: string): boolean {
    // Of equal length, whatever was sent, and compared in the same time wherever they differ.
    return timingSafeEqual(digest(token), digest(this.token));
  }

  /** Whether the header `Cookie` carries the token. */
  isIn(header: string | undefined): boolean {
    const cookies = (header ?? '').split(';').map((pair) => pair.trim().split('='));
    return cookies.some(([name, value = '']) => name === this.#cookie && this.fits(value));
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
