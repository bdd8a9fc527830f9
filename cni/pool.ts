/** The addresses of all ranges of the node: each pod gets one of every family, of the first range that has one. */
import { BerthError } from '../kit/errors.ts';
import type { Family } from '../linux/ipaddress.ts';
import { contains, formatAddress, formatNetwork, parseAddress } from './addresses.ts';
import type { Network } from './addresses.ts';
import { Allocator } from './allocator.ts';
import type { AllocatorOptions } from './allocator.ts';
import type { Attachment } from './attachment.ts';

interface Usage {
  readonly used: number;
  readonly free: number;
  /** Those of the free that rest after they were given back. */
  readonly cooling: number;
}

/** What the agent before has left besides attachments that live. */
interface Inheritance {
  /** Addresses in use although no record says so, by the key of who has them. */
  readonly held: ReadonlyMap<string, readonly string[]>;
  /** Attachments that were undone at the start: their addresses rest as after a DEL. */
  readonly released: readonly Attachment[];
}

export class AddressPool {
  readonly #ranges: readonly Allocator[];
  readonly #held: Map<string, readonly string[]>;

  /** Knows the addresses in use, and which of all was given out last. */
  constructor(
    ranges: readonly Network[],
    attachments: readonly Attachment[],
    options: Pick<AllocatorOptions, 'excluded' | 'restMs' | 'now'> = {},
    { held = new Map(), released = [] }: Partial<Inheritance> = {},
  ) {
    this.#held = new Map(held);
    const byAge = [...attachments, ...released].sort((a, b) => a.since - b.since).flatMap(({ addresses }) => addresses);
    this.#ranges = ranges.map((range) => {
      const numbers = byAge.flatMap((text) => {
        const parsed = parseAddress(text);
        return parsed?.family === range.family && contains(range, parsed.value) ? [parsed.value] : [];
      });
      return new Allocator(range, { ...options, used: numbers, last: numbers.at(-1) });
    });
    for (const text of [...held.values()].flat()) this.#rangeOf(text)?.claim(parseAddress(text)?.value ?? -1n);
    const kept = new Set([...attachments.flatMap(({ addresses }) => addresses), ...[...held.values()].flat()]);
    this.release(released.flatMap(({ addresses }) => addresses).filter((text) => !kept.has(text)));
  }

  /** Whether somebody has addresses that no record tells. */
  holdsFor(owner: string): boolean {
    return this.#held.has(owner);
  }

  /** Gives back what no record told; nothing when there is none. */
  releaseHeld(owner: string): void {
    this.release(this.#held.get(owner) ?? []);
    this.#held.delete(owner);
  }

  get families(): readonly Family[] {
    return [...new Set(this.#ranges.map(({ network }) => network.family))].sort();
  }

  get ranges(): readonly Allocator[] {
    return this.#ranges;
  }

  usage(family: Family): Usage {
    const own = this.#ranges.filter(({ network }) => network.family === family);
    const sum = (of: keyof Usage): number => own.reduce((total, range) => total + range[of], 0);
    return { used: sum('used'), free: sum('free'), cooling: sum('cooling') };
  }

  /** Why no pod can be attached, or undefined. */
  exhausted(): string | undefined {
    const family = this.families.find((each) => this.usage(each).free <= 0);
    return family === undefined ? undefined : this.#exhaustion(family);
  }

  /**
   * One address of each family, IPv4 first: those of `wanted` that have one, else the next. `kept` are addresses that
   * the caller holds already and may keep. Throws RESOURCE_EXHAUSTED or, for a wish, CONFIG_INVALID (none that pods can have)
   * and BUSY (in use); then nothing new is held.
   */
  allocate(wanted: readonly string[], kept: readonly string[] = []): readonly string[] {
    const taken: string[] = [];
    try {
      const wishes = this.#wishes(wanted);
      return this.families.map((family) => {
        const wish = wishes.get(family);
        const own = kept.find((text) => parseAddress(text)?.family === family);
        if (own !== undefined && (wish === undefined || wish === own)) return own;
        const address = wish === undefined ? this.#next(family) : this.#claim(wish);
        taken.push(address);
        return address;
      });
    } catch (error) {
      this.release(taken);
      throw error;
    }
  }

  /** Whether an address is of one of today's ranges and in use. */
  has(text: string): boolean {
    const parsed = parseAddress(text);
    return parsed !== undefined && this.#rangeOf(text)?.has(parsed.value) === true;
  }

  /** Gives addresses back; those that are not in use are ignored. */
  release(texts: readonly string[]): void {
    for (const text of texts) this.#rangeOf(text)?.release(parseAddress(text)?.value ?? -1n);
  }

  #wishes(wanted: readonly string[]): ReadonlyMap<Family, string> {
    const wishes = new Map<Family, string>();
    for (const text of wanted) {
      const parsed = parseAddress(text);
      if (parsed === undefined || this.#rangeOf(text) === undefined)
        throw new BerthError(
          'CONFIG_INVALID',
          `the requested address ${text} is of none of the node's pod ranges (${this.#names()})`,
        );
      if (wishes.has(parsed.family))
        throw new BerthError(
          'CONFIG_INVALID',
          `more than one IPv${parsed.family} address is requested; a pod gets one of each family`,
        );
      wishes.set(parsed.family, formatAddress(parsed.family, parsed.value));
    }
    return wishes;
  }

  #next(family: Family): string {
    const own = this.#ranges.filter(({ network }) => network.family === family);
    for (const range of own) {
      const value = range.allocateRested();
      if (value !== undefined) return formatAddress(family, value);
    }
    // Nothing else is free: no pod waits for an address to have rested. The one that has rested longest is the least harm.
    const age = ({ oldestReturned = Infinity }: Allocator): number => oldestReturned;
    const [oldest] = [...own].sort((a, b) => Math.sign(age(a) - age(b)) || 0);
    const value = oldest?.allocate();
    if (value !== undefined) return formatAddress(family, value);
    throw new BerthError('RESOURCE_EXHAUSTED', this.#exhaustion(family));
  }

  #claim(text: string): string {
    if (this.#rangeOf(text)?.claim(parseAddress(text)?.value ?? -1n) === true) return text;
    if (this.#rangeOf(text)?.isAssignable(parseAddress(text)?.value ?? -1n) === false)
      throw new BerthError(
        'CONFIG_INVALID',
        `the requested address ${text} is none for pods: it is excluded (network.exclude), or its range's own, first or last one`,
      );
    throw new BerthError('BUSY', `the requested address ${text} is in use`);
  }

  #rangeOf(text: string): Allocator | undefined {
    const parsed = parseAddress(text);
    if (parsed === undefined) return undefined;
    return this.#ranges.find(({ network }) => network.family === parsed.family && contains(network, parsed.value));
  }

  #names(family?: Family): string {
    const own = this.#ranges.filter(({ network }) => family === undefined || network.family === family);
    return own.map(({ network }) => formatNetwork(network)).join(', ');
  }

  #exhaustion(family: Family): string {
    return `no free address in ${this.#names(family)}: all ${this.usage(family).used} are used by pods of this node`;
  }
}
