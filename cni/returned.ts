/** Addresses that were given back, oldest first, and which of them rest: those that somebody may still take for their last owner's. */

interface Entry {
  readonly address: bigint;
  /** When it was given back, milliseconds of a clock that never goes back. */
  readonly at: number;
  resting: boolean;
}

// Before that many spent entries, copying the rest is not worth it.
const fewest = 1024;

export class ReturnedAddresses {
  readonly #restMs: number;
  readonly #now: () => number;
  readonly #entries = new Map<bigint, Entry>();
  // Their order apart from the map: a map that loses its first members again and again gets slow. An entry that the map
  // does not have any more, because its address was asked for by number, is skipped.
  #queue: Entry[] = [];
  #head = 0;
  /** Where in the queue those begin that rested at the last look. */
  #rested = 0;
  #resting = 0;

  constructor(restMs: number, now: () => number) {
    this.#restMs = restMs;
    this.#now = now;
  }

  has(address: bigint): boolean {
    return this.#entries.has(address);
  }

  add(address: bigint): void {
    this.#compact();
    const entry = { address, at: this.#now(), resting: true };
    this.#entries.set(address, entry);
    this.#queue.push(entry);
    this.#resting++;
  }

  /** Takes this one out; false when it is not here. */
  delete(address: bigint): boolean {
    const entry = this.#entries.get(address);
    if (entry === undefined) return false;
    this.#entries.delete(address);
    if (entry.resting) this.#resting--;
    return true;
  }

  /** How many rest. */
  get resting(): number {
    this.#look();
    return this.#resting;
  }

  /** When the oldest was given back, or undefined when there is none. */
  get oldest(): number | undefined {
    return this.#first()?.at;
  }

  /** Takes the oldest when it has rested. */
  takeRested(): bigint | undefined {
    this.#look();
    return this.#first()?.resting === false ? this.takeOldest() : undefined;
  }

  /** Takes the oldest, rested or not. */
  takeOldest(): bigint | undefined {
    const entry = this.#first();
    if (entry === undefined) return undefined;
    this.#head++;
    this.delete(entry.address);
    this.#compact();
    return entry.address;
  }

  #first(): Entry | undefined {
    for (;;) {
      const entry = this.#queue[this.#head];
      if (entry === undefined || this.#entries.get(entry.address) === entry) return entry;
      this.#head++;
    }
  }

  /** Each entry is passed once: on average constant time. */
  #look(): void {
    const until = this.#now() - this.#restMs;
    for (;;) {
      const entry = this.#queue[this.#rested];
      if (entry === undefined || entry.at > until) return;
      this.#rested++;
      if (entry.resting && this.#entries.get(entry.address) === entry) this.#resting--;
      entry.resting = false;
    }
  }

  /** Copying the living costs no more than was spent since the last time. */
  #compact(): void {
    const spent = this.#queue.length - this.#entries.size;
    if (spent <= fewest || spent < this.#entries.size) return;
    const living = (entry: Entry): boolean => this.#entries.get(entry.address) === entry;
    this.#rested = this.#queue.slice(0, this.#rested).filter(living).length;
    this.#queue = this.#queue.filter(living);
    this.#head = 0;
  }
}
