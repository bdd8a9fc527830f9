/** Hands out the addresses of one range, the longest unused first, in constant time whatever the size of the range. */
import { BerthError } from '../kit/errors.ts';
import { bitsOf, contains, formatNetwork, sizeOf } from './addresses.ts';
import type { Network } from './addresses.ts';
import { cutSpans } from './exclusions.ts';
import type { AddressSpan } from './exclusions.ts';
import { ReturnedAddresses } from './returned.ts';

/** The last prefix length with an address for a pod: 30 for IPv4, 126 for IPv6. */
export function longestPrefix(family: Network['family']): number {
  return bitsOf(family) - 2;
}

// Of a larger range, which only IPv6 has, the first addresses are handed out: more than a node can have pods by far.
const mostAddresses = 1 << 24;

/**
 * How long an address rests after it was given back, milliseconds: caches of names and proxies' lists of endpoints still
 * lead to its last owner for a while, and connections to that one must not reach another pod.
 */
const usualRestMs = 30_000;

export interface AllocatorOptions {
  /** Addresses of living attachments; those that are not of the range are ignored. */
  readonly used?: Iterable<bigint>;
  /** The address handed out most recently: the walk begins behind it, so that a restart does not hand out one just given back. */
  readonly last?: bigint | undefined;
  /** Never handed out; what of them lies outside of the range is ignored. */
  readonly excluded?: readonly AddressSpan[];
  /** Milliseconds an address rests. */
  readonly restMs?: number;
  /** A clock that never goes back, milliseconds. */
  readonly now?: () => number;
}

export class Allocator {
  readonly network: Network;
  /** Number of addresses pods can have: all but the network's own, the first (kept for a gateway), the last and excluded ones. */
  readonly size: number;
  readonly #used = new Set<bigint>();
  readonly #span: number;
  readonly #excluded: readonly AddressSpan[];
  // Addresses nobody has had yet, walked once round the range from #start; then those given back, oldest first.
  readonly #start: number;
  #walked = 0;
  readonly #returned: ReturnedAddresses;

  /** Throws CONFIG_INVALID when the range has no address left for pods. */
  constructor(network: Network, options: AllocatorOptions = {}) {
    const { used = [], last, excluded = [], restMs = usualRestMs, now = () => performance.now() } = options;
    const longest = longestPrefix(network.family);
    if (network.prefix > longest)
      throw new BerthError(
        'CONFIG_INVALID',
        `the pod range ${formatNetwork(network)} is too small: its network, first and broadcast address are reserved, so /${longest} is the smallest`,
      );
    this.network = network;
    const size = sizeOf(network);
    this.#span = size > mostAddresses ? mostAddresses : Number(size);
    const [first, final] = [network.base + 2n, network.base + BigInt(this.#span) - 2n];
    this.#excluded = cutSpans(excluded, { family: network.family, first, last: final });
    this.size = this.#span - 3 - this.#excluded.reduce((sum, span) => sum + Number(span.last - span.first) + 1, 0);
    if (this.size === 0)
      throw new BerthError(
        'CONFIG_INVALID',
        `network.exclude leaves no address of the pod range ${formatNetwork(network)} for pods`,
      );
    for (const address of used) if (this.isAssignable(address)) this.#used.add(address);
    this.#start = last !== undefined && this.isAssignable(last) ? Number(last - network.base) + 1 : 0;
    this.#returned = new ReturnedAddresses(restMs, now);
  }

  get used(): number {
    return this.#used.size;
  }

  get free(): number {
    return this.size - this.used;
  }

  /** Those of the free that rest. */
  get cooling(): number {
    return this.#returned.resting;
  }

  /** When the longest resting was given back; undefined when none was. */
  get oldestReturned(): number | undefined {
    return this.#returned.oldest;
  }

  has(address: bigint): boolean {
    return this.#used.has(address);
  }

  /** Takes the next address that does not rest, or returns undefined when there is none. */
  allocateRested(): bigint | undefined {
    return this.#take(this.#nextFresh() ?? this.#returned.takeRested());
  }

  /** Takes the next address, one that rests only when there is no other; undefined when all are in use. */
  allocate(): bigint | undefined {
    return this.allocateRested() ?? this.#take(this.#returned.takeOldest());
  }

  /** Takes this address; false when it is in use or none that pods can have. */
  claim(address: bigint): boolean {
    if (!this.isAssignable(address) || this.#used.has(address)) return false;
    this.#returned.delete(address);
    this.#used.add(address);
    return true;
  }

  /** Gives an address back. One that is not in use, or not of this range, is ignored. */
  release(address: bigint): void {
    if (this.#used.delete(address)) this.#returned.add(address);
  }

  /** Whether pods can have an address: of the range, and neither reserved nor excluded. */
  isAssignable(address: bigint): boolean {
    const offset = address - this.network.base;
    const own = contains(this.network, address) && offset >= 2n && offset < BigInt(this.#span - 1);
    return own && this.#exclusionOf(address) === undefined;
  }

  #take(address: bigint | undefined): bigint | undefined {
    if (address !== undefined) this.#used.add(address);
    return address;
  }

  /** There are at most a few dozen. */
  #exclusionOf(address: bigint): AddressSpan | undefined {
    return this.#excluded.find(({ first, last }) => address >= first && address <= last);
  }

  #nextFresh(): bigint | undefined {
    while (this.#walked < this.#span) {
      const address = this.network.base + BigInt((this.#start + this.#walked++) % this.#span);
      // One that was in use when the walk began and came back since waits its turn among the returned.
      if (this.isAssignable(address) && !this.#used.has(address) && !this.#returned.has(address)) return address;
      // Over the whole of what is excluded at once.
      const exclusion = this.#exclusionOf(address);
      if (exclusion !== undefined) this.#walked += Number(exclusion.last - address);
    }
    return undefined;
  }
}
