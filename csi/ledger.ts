/**
 * What a pool has promised: space of volumes and snapshots that exist or are being made. Parallel creates cannot promise twice.
 * Of each promise a part is taken already, that is counted as used by the pool's filesystem; the rest must stay free.
 */
import { pause } from '../kit/backoff.ts';
import { BerthError } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import { formatBytes, GiB, MiB } from './quantity.ts';

/** Bytes of the pool's filesystem, read from the kernel. */
export type ReadSpace = () => Promise<{ readonly total: bigint; readonly available: bigint }>;

/** Space that is used and that nobody needs: of what was deleted. */
export interface Spare {
  /** What can be freed, as far as is known. */
  readonly bytes: bigint;
  /** What can be freed at most. */
  readonly most: bigint;
  /**
   * Frees so many bytes; false when nothing was freed. Called while space is counted, and must ask nothing of the ledger then.
   */
  reclaim(bytes: bigint): Promise<boolean>;
}

/** A promise, in bytes. */
interface Entry {
  readonly promised: bigint;
  /** At most `promised`. Too small a figure is safe: less is then promised to others. */
  readonly taken: bigint;
  /** Being made now. */
  readonly running: boolean;
}

/** Milliseconds. */
const longestFreeing = 2_000;

export interface LedgerOptions {
  readonly pool: string;
  /** The configured capacity. */
  readonly limit?: bigint | undefined;
  readonly space: ReadSpace;
  /** Whether `space` leaves out already what is promised to objects that are made. Default: only what they have taken. */
  readonly counted?: boolean;
  /** Left free for the filesystem's own bookkeeping and for records. Default: a hundredth of the whole, within bounds. */
  readonly marginOf?: (total: bigint) => bigint;
}

function hundredth(total: bigint): bigint {
  const part = total / 100n;
  return part < 16n * MiB ? 16n * MiB : part > GiB ? GiB : part;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #entries = new Map<string, Entry>();
  // Reading the free space and changing what is promised from it happen one after another.
  readonly #lock = new KeyedLock();
  readonly #freeing = new Set<Promise<unknown>>();
  #spare: Spare = { bytes: 0n, most: 0n, reclaim: () => Promise.resolve(false) };

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Σ of all promises, in bytes. */
  get reserved(): bigint {
    return this.#sum(({ promised }) => promised);
  }

  /** Whose space is free for whoever needs it. */
  useSpare(spare: Spare): void {
    this.#spare = spare;
  }

  /** Enters what was found on disk at start. */
  enter(id: string, promised: bigint, taken = promised): void {
    this.#entries.set(id, { promised, taken: least(promised, taken), running: false });
  }

  /** Space is being given back to the filesystem: until that has ended the pool looks fuller than it will be. */
  whileFreeing(work: Promise<unknown>): void {
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    this.#freeing.add(ended);
    void ended.then(() => this.#freeing.delete(ended));
  }

  /** The largest volume that can be made now, in bytes. */
  async available(): Promise<bigint> {
    // csi-provisioner asks right after a deletion. A huge file takes longer to be freed than it should wait.
    if (this.#freeing.size > 0) {
      const end = new AbortController();
      await Promise.race([this.#freed(), pause(longestFreeing, end.signal)]);
      end.abort();
    }
    return await this.#availableNow();
  }

  /** Bytes the filesystem is short of what has to stay free: others, or thin volumes, took it. */
  async lacking(): Promise<bigint> {
    const { total, available } = await this.#options.space();
    const left = available - this.#marginOf(total);
    return left < 0n ? -left : 0n;
  }

  /** Throws RESOURCE_EXHAUSTED when more than `percent` of the pool's filesystem is used. */
  async assertUsedAtMost(percent: number): Promise<void> {
    const { total, available: left } = await this.#options.space();
    const available = left + this.#spare.bytes;
    if ((total - available) * 100n <= total * BigInt(percent)) return;
    throw new BerthError(
      'RESOURCE_EXHAUSTED',
      `pool "${this.#options.pool}" has ${formatBytes(available)} of ${formatBytes(total)} left; above ${percent} % no more thin volumes are made; delete volumes or enlarge the pool [pool-watermark]`,
    );
  }

  /** Promises `bytes` more to the object, or throws RESOURCE_EXHAUSTED with the figures. */
  async reserve(id: string, bytes: bigint): Promise<void> {
    if (this.#freeing.size > 0 && bytes > (await this.#availableNow())) await this.#freed();
    await this.#lock.run('space', async () => {
      let available = await this.#available();
      // Nothing is freed where all of it would not be enough; what was freed is looked at, not believed.
      while (
        bytes > available &&
        bytes <= (await this.#available(this.#spare.most)) &&
        (await this.#spare.reclaim(bytes - available))
      )
        available = await this.#available();
      if (bytes > available) throw this.#exhausted(bytes, available);
      const { promised, taken } = this.#entries.get(id) ?? { promised: 0n, taken: 0n };
      this.#entries.set(id, { promised: promised + bytes, taken, running: true });
    });
  }

  /**
   * Promises an object its space again of which it still has `taken` bytes, until it is settled. Throws RESOURCE_EXHAUSTED when the rest was promised to
   * others meanwhile.
   */
  async readmit(id: string, promised: bigint, taken: bigint): Promise<void> {
    await this.#lock.run('space', async () => {
      const onDisk = least(promised, taken);
      const { free, allowed } = await this.#room();
      const fits = promised === onDisk || promised - onDisk <= free;
      if (!fits || (allowed !== undefined && promised > allowed)) {
        throw new BerthError(
          'RESOURCE_EXHAUSTED',
          `pool "${this.#options.pool}" has promised its space to others meanwhile: ${formatBytes(promised)} needed, of which ${formatBytes(onDisk)} are there still; delete volumes or enlarge the pool [pool-full]`,
        );
      }
      this.#entries.set(id, { promised, taken: onDisk, running: true });
    });
  }

  /** The object is made, and the filesystem counts `taken` bytes of it as used; without a figure: all. */
  async settle(id: string, taken?: bigint): Promise<void> {
    await this.#change(id, ({ promised }) => ({ promised, taken: least(promised, taken ?? promised), running: false }));
  }

  /** Another figure of what the filesystem counts as used; whether the object is being made stays as it is. */
  async measured(id: string, taken: bigint): Promise<void> {
    await this.#change(id, (entry) => ({ ...entry, taken: least(entry.promised, taken) }));
  }

  /** Takes back a part of a promise: a growth that failed. */
  async reduce(id: string, promised: bigint): Promise<void> {
    await this.#change(id, ({ taken }) => ({ promised, taken: least(promised, taken), running: false }));
  }

  /** The object is gone. */
  async release(id: string): Promise<void> {
    await this.#lock.run('space', () => Promise.resolve(this.#entries.delete(id)));
  }

  async #change(id: string, to: (entry: Entry) => Entry): Promise<void> {
    await this.#lock.run('space', () => {
      const entry = this.#entries.get(id);
      if (entry !== undefined) this.#entries.set(id, to(entry));
      return Promise.resolve();
    });
  }

  /** The sentence for a volume that does not fit. */
  #exhausted(asked: bigint, available: bigint): BerthError {
    const count = [...this.#entries.values()].filter(({ running }) => running).length;
    const bytes = this.#sum(({ promised, taken, running }) => (running ? promised - taken : 0n));
    const running = count === 0 ? '' : ` (${formatBytes(bytes)} reserved by ${count} creations in progress)`;
    return new BerthError(
      'RESOURCE_EXHAUSTED',
      `pool "${this.#options.pool}" can take a volume of ${formatBytes(available)}, ${formatBytes(asked)} asked${running}; ` +
        'delete volumes, enlarge the pool or ask for less [pool-full]',
    );
  }

  async #freed(): Promise<void> {
    while (this.#freeing.size > 0) await Promise.allSettled(this.#freeing);
  }

  async #availableNow(): Promise<bigint> {
    return await this.#lock.run('space', () => this.#available(this.#spare.bytes));
  }

  #sum(of: (entry: Entry) => bigint): bigint {
    let sum = 0n;
    for (const entry of this.#entries.values()) sum += of(entry);
    return sum;
  }

  /** `spare` bytes count as free. */
  async #available(spare = 0n): Promise<bigint> {
    const { free, allowed } = await this.#room();
    const available = allowed === undefined ? free + spare : least(free + spare, allowed);
    return available < 0n ? 0n : available;
  }

  /** What nobody was promised, and what the configured capacity allows to promise; below 0 where it is too much already. */
  async #room(): Promise<{ readonly free: bigint; readonly allowed: bigint | undefined }> {
    const { space, limit, counted = false } = this.#options;
    const { total, available } = await space();
    const missing = this.#sum(({ promised, taken, running }) => (running || !counted ? promised - taken : 0n));
    return {
      free: available - missing - this.#marginOf(total),
      allowed: limit === undefined ? undefined : limit - this.reserved,
    };
  }

  #marginOf(total: bigint): bigint {
    const { marginOf = hundredth } = this.#options;
    return marginOf(total);
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
