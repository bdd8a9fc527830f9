/** What a pool has promised: reservations of volumes that exist or are being made. Parallel creates cannot promise twice. */
import { BerthError } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import { formatBytes, GiB, MiB } from './quantity.ts';

/** Bytes of the pool's filesystem, read from the kernel. */
export type ReadSpace = () => Promise<{ readonly total: bigint; readonly available: bigint }>;

/** Left for the filesystem's own bookkeeping and for records: a hundredth, within bounds. */
function marginOf(total: bigint): bigint {
  const hundredth = total / 100n;
  return hundredth < 16n * MiB ? 16n * MiB : hundredth > GiB ? GiB : hundredth;
}

export class Ledger {
  readonly #pool: string;
  readonly #limit: bigint | undefined;
  readonly #space: ReadSpace;
  readonly #entries = new Map<string, { readonly bytes: bigint; readonly onDisk: boolean }>();
  // Reading the free space and changing what is promised from it happen one after another.
  readonly #lock = new KeyedLock();

  /** `limit` is the configured capacity. */
  constructor(pool: string, limit: bigint | undefined, space: ReadSpace) {
    this.#pool = pool;
    this.#limit = limit;
    this.#space = space;
  }

  /** Σ of all reservations, in bytes. */
  get reserved(): bigint {
    return this.#sum(() => true);
  }

  /** Enters a volume found on disk at start. */
  enter(id: string, bytes: bigint): void {
    this.#entries.set(id, { bytes, onDisk: true });
  }

  /** The largest volume that can be made now, in bytes. */
  async available(): Promise<bigint> {
    return await this.#lock.run('space', () => this.#available());
  }

  /** Reserves space for a volume, or throws RESOURCE_EXHAUSTED with the figures. */
  async reserve(id: string, bytes: bigint): Promise<void> {
    await this.#lock.run('space', async () => {
      const available = await this.#available();
      if (bytes > available) throw this.#exhausted(bytes, available);
      this.#entries.set(id, { bytes, onDisk: false });
    });
  }

  /** The volume's bytes are allocated: the filesystem counts them as used from now on. */
  async settle(id: string): Promise<void> {
    await this.#lock.run('space', () => {
      const entry = this.#entries.get(id);
      if (entry !== undefined) this.#entries.set(id, { ...entry, onDisk: true });
      return Promise.resolve();
    });
  }

  /** The volume is gone. */
  async release(id: string): Promise<void> {
    await this.#lock.run('space', () => Promise.resolve(this.#entries.delete(id)));
  }

  /** The sentence for a volume that does not fit. */
  #exhausted(asked: bigint, available: bigint): BerthError {
    const pending = [...this.#entries.values()].filter((entry) => !entry.onDisk).length;
    const running =
      pending === 0 ? '' : ` (${formatBytes(this.#pending)} reserved by ${pending} creations in progress)`;
    return new BerthError(
      'RESOURCE_EXHAUSTED',
      `pool "${this.#pool}" can take a volume of ${formatBytes(available)}, ${formatBytes(asked)} asked${running}; ` +
        'delete volumes, enlarge the pool or ask for less [pool-full]',
    );
  }

  get #pending(): bigint {
    return this.#sum((entry) => !entry.onDisk);
  }

  #sum(which: (entry: { readonly onDisk: boolean }) => boolean): bigint {
    let sum = 0n;
    for (const entry of this.#entries.values()) if (which(entry)) sum += entry.bytes;
    return sum;
  }

  async #available(): Promise<bigint> {
    const { total, available } = await this.#space();
    const free = available - this.#pending - marginOf(total);
    const allowed = this.#limit === undefined ? free : this.#limit - this.reserved;
    const least = free < allowed ? free : allowed;
    return least < 0n ? 0n : least;
  }
}
