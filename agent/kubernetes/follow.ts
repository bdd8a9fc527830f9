/** Follows a collection of the Kubernetes API for ever: list, watch from there, and again whatever happens to the watch. */
import type { Logger } from '../../kit/log.ts';
import { pause } from '../../kit/backoff.ts';
import { BerthError, messageOf } from '../../kit/errors.ts';
import type { ReadAccess } from './access.ts';
import { LineReader } from './lines.ts';
import { createConnection, parseObject, readObject, refusalOf, sendGet } from './transport.ts';
import type { ApiObject, ApiResponse } from './transport.ts';

/** What is followed, and what of each object is kept in memory (a Node as it comes has 10 to 50 KiB). */
export interface Collection<T> {
  /** `/api/v1/nodes`. */
  readonly path: string;
  readonly keep: (object: ApiObject) => T;
  readonly equal: (a: T, b: T) => boolean;
}

/** Milliseconds, but for the page. Tests give others. */
export interface FollowTimings {
  /** How long a list or the head of a watch may take. */
  readonly answer: number;
  /** A watch that says nothing for so long is taken for dead. The server sends a bookmark every minute. */
  readonly silence: number;
  /** A watch that lived so long was a good one: the next comes without a growing delay. */
  readonly steady: number;
  /** Delays by failures in a row; each is stretched by chance up to twice, so that not all nodes come at once. */
  readonly delays: readonly [number, ...number[]];
  /** What the server may keep a watch open, seconds, and again as many by chance. */
  readonly watchSeconds: number;
  readonly page: number;
}

export const followTimings: FollowTimings = {
  answer: 30_000,
  silence: 150_000,
  steady: 10_000,
  delays: [100, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  watchSeconds: 300,
  // Small pages, and no resourceVersion=0: with that the server ignores the limit, and 5,000 Nodes are 100 MB at once.
  page: 100,
};

export interface FollowOptions {
  readonly readAccess: ReadAccess;
  readonly log: Logger;
  readonly timings?: FollowTimings;
  readonly random?: () => number;
  /** Told whether the API answers, as often as that is seen. */
  readonly onState?: (answers: boolean) => void;
}

const largestLine = 8 * 1024 * 1024;
const largestPage = 64 * 1024 * 1024;
const longestRetryAfter = 60_000;
const probeAfter = 15_000;

/** The version is too old for the server's memory of changes: only a list helps. */
class Expired extends Error {}

/** The server asked for a pause. */
class Busy extends Error {
  readonly delay: number;
  constructor(cause: BerthError, delay: number) {
    super(cause.message, { cause });
    this.delay = delay;
  }
}

/**
 * Calls `changed` with all objects by name after each list, and after each event that changed what is kept of one. Until
 * the first list it calls nothing, and while the API is away nothing either: what was known stays known. Resolves when
 * `signal` fires; never throws. The map is the same each time and changes afterwards.
 */
export async function follow<T>(
  collection: Collection<T>,
  options: FollowOptions,
  changed: (objects: ReadonlyMap<string, T>) => void,
  signal: AbortSignal,
): Promise<void> {
  await new Follower(collection, options, changed, signal).run();
}

class Follower<T> {
  readonly #collection: Collection<T>;
  readonly #options: FollowOptions;
  readonly #timings: FollowTimings;
  readonly #random: () => number;
  readonly #changed: (objects: ReadonlyMap<string, T>) => void;
  readonly #signal: AbortSignal;
  readonly #objects = new Map<string, T>();
  /** Where the next watch goes on; undefined when a list must come first. */
  #version: string | undefined;
  #failures = 0;
  #reported = '';

  constructor(
    collection: Collection<T>,
    options: FollowOptions,
    changed: (objects: ReadonlyMap<string, T>) => void,
    signal: AbortSignal,
  ) {
    this.#collection = collection;
    this.#options = options;
    this.#timings = options.timings ?? followTimings;
    this.#random = options.random ?? Math.random;
    this.#changed = changed;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    for (;;) {
      const begin = performance.now();
      let wanted = 0;
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch();
      } catch (error) {
        if (this.#signal.aborted) return;
        wanted = this.#judge(error);
      }
      // A server that closes at once is no better than one that refuses.
      this.#failures = performance.now() - begin >= this.#timings.steady ? 0 : this.#failures + 1;
      const { delays } = this.#timings;
      const delay = delays[Math.min(this.#failures, delays.length - 1)] ?? delays[0];
      if (!(await pause(Math.max(wanted, delay * (1 + this.#random())), this.#signal))) return;
    }
  }

  /** Notes what a failure means for the next attempt; returns the pause the server asked for. */
  #judge(error: unknown): number {
    const { log } = this.#options;
    const { path } = this.#collection;
    if (error instanceof Expired) {
      this.#version = undefined;
      log.debug({ event: 'follow.expired', path }, 'the watch is too old, listing again');
      return 0;
    }
    // Only when nobody could be asked nothing was missed: the same watch can go on later.
    if (!(error instanceof Busy) && !(error instanceof BerthError && error.code === 'UNAVAILABLE'))
      this.#version = undefined;
    const reason = messageOf(error);
    if (reason !== this.#reported) log.warn({ event: 'follow.failed', path }, reason);
    this.#reported = reason;
    this.#options.onState?.(false);
    return error instanceof Busy ? error.delay : 0;
  }

  async #list(): Promise<void> {
    const { path, keep } = this.#collection;
    const connection = createConnection();
    try {
      const found = new Map<string, T>();
      let version: string | undefined;
      let next = '';
      do {
        const query = new URLSearchParams({ limit: String(this.#timings.page), ...(next && { continue: next }) });
        const timeout = AbortSignal.any([this.#signal, AbortSignal.timeout(this.#timings.answer)]);
        const sent = await sendGet(this.#options.readAccess, `${path}?${query.toString()}`, {
          signal: timeout,
          connection,
        });
        throwIfBusy(sent);
        if (sent.status === 410) throw new Expired();
        const page = await readObject(sent, largestPage);
        const items = page['items'];
        const meta = metadataOf(page);
        version ??= meta.resourceVersion;
        if (!Array.isArray(items ?? []) || version === undefined)
          throw new BerthError('INTERNAL', `${sent.what}: the answer is not a list of objects`);
        for (const item of (items ?? []) as ApiObject[]) {
          const { name } = metadataOf(item);
          if (name !== undefined) found.set(name, keep(item));
        }
        next = meta.continue ?? '';
      } while (next !== '');
      this.#objects.clear();
      for (const [name, value] of found) this.#objects.set(name, value);
      this.#version = version;
      this.#answered();
      this.#changed(this.#objects);
    } finally {
      connection.close();
    }
  }

  async #watch(): Promise<void> {
    const { answer, silence, watchSeconds } = this.#timings;
    const seconds = Math.ceil(watchSeconds * (1 + this.#random()));
    const query = new URLSearchParams({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version ?? '',
      timeoutSeconds: String(seconds),
    });
    const quiet = new AbortController();
    const fail = (): void => {
      quiet.abort(new Error('no word from the server for too long'));
    };
    let timer = setTimeout(fail, answer);
    try {
      const signal = AbortSignal.any([this.#signal, quiet.signal]);
      const path = `${this.#collection.path}?${query.toString()}`;
      const sent = await sendGet(this.#options.readAccess, path, { signal, probeAfter });
      throwIfBusy(sent);
      if (sent.status === 410) throw new Expired();
      if (sent.status !== 200) throw await refusal(sent);
      clearTimeout(timer);
      timer = setTimeout(fail, silence);
      const lines = new LineReader(largestLine);
      this.#answered();
      try {
        for await (const chunk of sent.body as AsyncIterable<Buffer>) {
          timer.refresh();
          this.#take(lines.push(chunk));
        }
      } catch (error) {
        if (error instanceof Expired || error instanceof BerthError) throw error;
        const reason = quiet.signal.aborted ? messageOf(quiet.signal.reason) : messageOf(error);
        throw new BerthError('UNAVAILABLE', `${sent.what}: the watch broke off: ${reason}`, { cause: error });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #answered(): void {
    if (this.#reported !== '')
      this.#options.log.info({ event: 'follow.recovered', path: this.#collection.path }, 'the API answers again');
    this.#reported = '';
    this.#options.onState?.(true);
  }

  /** Applies the events of some lines, then tells of them once. */
  #take(lines: readonly string[]): void {
    let changes = 0;
    try {
      for (const line of lines) if (this.#apply(line)) changes++;
    } finally {
      if (changes > 0) this.#changed(this.#objects);
    }
  }

  /** Returns whether what is kept of an object changed. */
  #apply(line: string): boolean {
    const event = parseObject(line);
    const type = event?.['type'];
    const object = asObject(event?.['object']);
    if (type === 'ERROR') {
      if (object?.['code'] === 410) throw new Expired();
      throw new BerthError('INTERNAL', `the watch of ${this.#collection.path} failed: ${JSON.stringify(object)}`);
    }
    const { name, resourceVersion } = metadataOf(object);
    const known = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED';
    if (object === undefined || resourceVersion === undefined || (known ? name === undefined : type !== 'BOOKMARK'))
      throw new BerthError(
        'INTERNAL',
        `the watch of ${this.#collection.path} sent what is no event: ${line.slice(0, 100)}`,
      );
    this.#version = resourceVersion;
    if (!known || name === undefined) return false;
    if (type === 'DELETED') return this.#objects.delete(name);
    const value = this.#collection.keep(object);
    const before = this.#objects.get(name);
    this.#objects.set(name, value);
    return before === undefined || !this.#collection.equal(before, value);
  }
}

function throwIfBusy(sent: ApiResponse): void {
  if (sent.status !== 429 && (sent.status !== 503 || sent.retryAfter === 0)) return;
  sent.body.destroy();
  throw new Busy(refusalOf(sent, undefined), Math.min(sent.retryAfter, longestRetryAfter));
}

async function refusal(sent: ApiResponse): Promise<BerthError> {
  try {
    await readObject(sent, largestLine);
  } catch (error) {
    if (error instanceof BerthError) return error;
  }
  return refusalOf(sent, undefined);
}

interface Metadata {
  readonly name?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly continue?: string | undefined;
}

function asObject(value: unknown): ApiObject | undefined {
  return typeof value === 'object' && value !== null ? (value as ApiObject) : undefined;
}

/** The texts of `metadata`; what is missing, empty or something else is undefined. */
function metadataOf(object: ApiObject | undefined): Metadata {
  const metadata = asObject(object?.['metadata']);
  const text = (key: string): string | undefined => {
    const value = metadata?.[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return { name: text('name'), resourceVersion: text('resourceVersion'), continue: text('continue') };
}
