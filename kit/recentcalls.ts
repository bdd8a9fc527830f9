/** The last calls that came in over a socket, for people to look at: a ring of fixed size, filled at a fixed cost per call. */

export interface RecentCall {
  /** Of the specification: `NodePublishVolume`, `Allocate`, `ADD`. */
  readonly method: string;
  /** What it was about: a pod, a volume, devices. Others named it, and it is cut. */
  readonly subject: string;
  /** `OK`, or the code that was answered. */
  readonly code: string;
  /** How long the last of them took, in milliseconds. */
  readonly ms: number;
  /** When the last of them ended, ISO 8601. */
  readonly at: string;
  /** How often it came like this, one right after the other. */
  readonly times: number;
}

type Noted = Pick<RecentCall, 'method' | 'subject' | 'code'> & { readonly seconds: number };
type Entry = Pick<RecentCall, 'method' | 'subject' | 'code' | 'ms' | 'times'> & { readonly at: number };

const longestSubject = 160;

export class RecentCalls {
  readonly #most: number;
  readonly #ring: Entry[] = [];
  /** Index of the newest. */
  #newest = -1;

  constructor(most = 64) {
    this.#most = most;
  }

  /** A call that is as the one before, such as a repeated failure, only counts that one up: it must not push out all others. */
  note({ method, subject: whole, code, seconds }: Noted): void {
    const subject = whole.length > longestSubject ? `${whole.slice(0, longestSubject)}…` : whole;
    const last = this.#ring[this.#newest];
    const same = last?.method === method && last.subject === subject && last.code === code;
    if (!same) this.#newest = (this.#newest + 1) % this.#most;
    const times = same ? last.times + 1 : 1;
    this.#ring[this.#newest] = { method, subject, code, ms: seconds * 1000, at: Date.now(), times };
  }

  /** Newest first. */
  list(): readonly RecentCall[] {
    const inOrder = [...this.#ring.slice(this.#newest + 1), ...this.#ring.slice(0, this.#newest + 1)];
    return inOrder
      .reverse()
      .map(({ ms, at, ...call }) => ({ ...call, ms: Math.round(ms * 10) / 10, at: new Date(at).toISOString() }));
  }
}
