/** Hands out the addresses of one range, the longest unused first, in constant time whatever the size of the range. */
import { BerthError } from '../kit/errors.ts';
import { bitsOf, contains, formatNetwork, sizeOf } from './addresses.ts';
import type { Network } from './addresses.ts';

/** The last prefix length with an address for a pod: 30 for IPv4, 126 for IPv6. */
export function longestPrefix(family: Network['family']): number {
  return bitsOf(family) - 2;
}

// Of a larger range, which only IPv6 has, the first addresses are handed out: more than a node can have pods by far.
const mostAddresses = 1 << 24;

export class Allocator {
  readonly network: Network;
  readonly #used = new Set<bigint>();
  readonly #span: number;
  // Addresses nobody has had yet, walked once round the range from #start; then those given back, oldest first.
  readonly #start: number;
  #walked = 0;
  readonly #returned = new Set<bigint>();
  // Their order apart from the set: a set that loses its first members again and again gets slow.
  #queue: bigint[] = [];
  #head = 0;

  /**
   * `used` are the addresses of living attachments (those outside of the range are ignored); the walk begins behind
   * `last`, the address handed out most recently, so that a restart does not hand out an address just given back.
   * Throws CONFIG_INVALID when the range has no address left for pods.
   */
  constructor(network: Network, used: Iterable<bigint> = [], last?: bigint) {
    const longest = longestPrefix(network.family);
    if (network.prefix > longest)
      throw new BerthError(
        'CONFIG_INVALID',
        `the pod range ${formatNetwork(network)} is too small: its network, first and broadcast address are reserved, so /${longest} is the smallest`,
      );
    this.network = network;
    const size = sizeOf(network);
    this.#span = size > mostAddresses ? mostAddresses : Number(size);
    for (const address of used) if (this.#assignable(address)) this.#used.add(address);
    this.#start = last !== undefined && this.#assignable(last) ? Number(last - network.base) + 1 : 0;
  }

  /** Number of addresses pods can have: all but the network's own, the first (kept for a gateway) and the last. */
  get size(): number {
    return this.#span - 3;
  }

  get used(): number {
    return this.#used.size;
  }

  get free(): number {
    return this.size - this.used;
  }

  has(address: bigint): boolean {
    return this.#used.has(address);
  }

  /** Takes the next address, or returns undefined when all are in use. */
  allocate(): bigint | undefined {
    const address = this.#nextFresh() ?? this.#nextReturned();
    if (address !== undefined) this.#used.add(address);
    return address;
  }

  /** Takes this address; false when it is in use or none that pods can have. */
  claim(address: bigint): boolean {
    if (!this.#assignable(address) || this.#used.has(address)) return false;
    if (this.#returned.delete(address)) {
      // Rare enough to be worth its length.
      this.#queue = this.#queue.slice(this.#head).filter((other) => other !== address);
      this.#head = 0;
    }
    this.#used.add(address);
    return true;
  }

  /** Gives an address back. One that is not in use, or not of this range, is ignored. */
  release(address: bigint): void {
    if (!this.#used.delete(address)) return;
    this.#returned.add(address);
    this.#queue.push(address);
  }

  #assignable(address: bigint): boolean {
    const offset = address - this.network.base;
    return contains(this.network, address) && offset >= 2n && offset < BigInt(this.#span - 1);
  }

  #nextFresh(): bigint | undefined {
    while (this.#walked < this.#span) {
      const address = this.network.base + BigInt((this.#start + this.#walked++) % this.#span);
      // One that was in use when the walk began and came back since waits its turn among the returned.
      if (this.#assignable(address) && !this.#used.has(address) && !this.#returned.has(address)) return address;
    }
    return undefined;
  }

  #nextReturned(): bigint | undefined {
    const address = this.#queue[this.#head];
    if (address === undefined) return undefined;
    this.#head++;
    this.#returned.delete(address);
    // Half of it is spent: copying the rest costs as much as was taken since the last time.
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return address;
  }
}
