/**
 * Remembers what the API server said about tokens, by their hash, so that a scrape every few seconds asks it once a minute. Everything is
 * bounded: whoever sends made-up tokens makes the agent ask a few times a second and forget other made-up ones, and no more.
 */
import { hash } from 'node:crypto';
import { asBerthError } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { Review, Verdict } from './review.ts';

/** Milliseconds, but for the counts. Tests give others. */
export interface BearerLimits {
  /** How long a right is believed; one that is taken away ends no later. */
  readonly allowed: number;
  /** How long a refusal is: short, because somebody is about to mend it. */
  readonly refused: number;
  /** How long the API server may take for both answers. */
  readonly answer: number;
  readonly mostAllowed: number;
  readonly mostRefused: number;
  /** Tokens that were never allowed, asked about in a second. */
  readonly strangersPerSecond: number;
}

export const bearerLimits: BearerLimits = {
  allowed: 60_000,
  refused: 10_000,
  answer: 5_000,
  mostAllowed: 32,
  mostRefused: 256,
  strangersPerSecond: 10,
};

interface Remembered {
  readonly verdict: Verdict;
  readonly until: number;
}

export interface BearerOptions {
  readonly log: Logger;
  readonly limits?: BearerLimits;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

/** RFC 6750, section 2.1; the longest are those of OpenID providers with many groups. */
const form = /^[A-Za-z0-9._~+/-]{1,8192}={0,2}$/;
const notOne: Verdict = { allowed: false, status: 401, reason: 'send a token: Authorization: Bearer TOKEN' };
const tooMany: Verdict = { allowed: false, status: 429, reason: 'too many unknown tokens at a time; try again' };

export class Bearers {
  readonly #review: Review;
  readonly #log: Logger;
  readonly #limits: BearerLimits;
  readonly #now: () => number;
  /** Also after its time, until another is: who was allowed before never waits behind strangers. */
  readonly #allowed = new Map<string, Remembered>();
  readonly #refused = new Map<string, Remembered>();
  readonly #asking = new Map<string, Promise<Verdict>>();
  #reported = '';
  #second = 0;
  #strangers = 0;

  constructor(review: Review, { log, limits = bearerLimits, now = performance.now.bind(performance) }: BearerOptions) {
    this.#review = review;
    this.#log = log;
    this.#limits = limits;
    this.#now = now;
  }

  /** What the owner of an `Authorization` header gets. One question per token at a time; never throws. */
  async verdictOf(authorization: string | undefined): Promise<Verdict> {
    const token = /^Bearer ([^ ]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || !form.test(token)) return notOne;
    const key = hash('sha256', token, 'base64');
    const known = this.#allowed.get(key);
    const remembered = known ?? this.#refused.get(key);
    if (remembered !== undefined && this.#now() < remembered.until) return remembered.verdict;
    const running = this.#asking.get(key);
    if (running !== undefined) return await running;
    if (known === undefined && !this.#admitStranger()) return tooMany;
    const asked = this.#ask(key, token).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return await asked;
  }

  #admitStranger(): boolean {
    const second = Math.floor(this.#now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#strangers = 0;
    }
    this.#strangers += 1;
    return this.#strangers <= this.#limits.strangersPerSecond;
  }

  async #ask(key: string, token: string): Promise<Verdict> {
    const { allowed, refused, answer, mostAllowed, mostRefused } = this.#limits;
    let verdict: Verdict;
    try {
      verdict = await this.#review(token, AbortSignal.timeout(answer));
      this.#reported = '';
    } catch (error) {
      const { code, message } = asBerthError(error);
      if (message !== this.#reported) this.#log.error({ event: 'metrics.review_failed', code }, message);
      this.#reported = message;
      // Not remembered: the next scrape asks again.
      const reason = 'the API server could not be asked about this token; the log of the agent says why';
      return { allowed: false, status: 503, reason };
    }
    this.#allowed.delete(key);
    this.#refused.delete(key);
    if (verdict.allowed) remember(this.#allowed, mostAllowed, key, { verdict, until: this.#now() + allowed });
    else remember(this.#refused, mostRefused, key, { verdict, until: this.#now() + refused });
    return verdict;
  }
}

/** As the last; what has been there longest goes when there are too many. */
function remember(map: Map<string, Remembered>, most: number, key: string, what: Remembered): void {
  map.set(key, what);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
