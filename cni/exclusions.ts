/** Addresses that pods never get, as the configuration writes them: one, a network, or from one to another. */
import type { Family } from '../linux/ipaddress.ts';
import { parseAddress, parseNetwork, sizeOf } from './addresses.ts';
import type { Network } from './addresses.ts';

/** From the first to the last address, both included. */
export interface AddressSpan {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** `10.244.3.9`, `10.244.3.16/28` or `10.244.3.20-10.244.3.29`; undefined for anything else. */
export function parseSpan(text: string): AddressSpan | undefined {
  const network = parseNetwork(text);
  if (network !== undefined) return spanOf(network);
  const [from = '', to = from, ...rest] = text.split('-');
  const [first, last] = [parseAddress(from), parseAddress(to)];
  if (first === undefined || first.family !== last?.family || first.value > last.value || rest.length > 0)
    return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

function spanOf(network: Network): AddressSpan {
  return { family: network.family, first: network.base, last: network.base + sizeOf(network) - 1n };
}

/** Whether a span lies in a network as a whole. */
export function isWithin({ family, first, last }: AddressSpan, network: Network): boolean {
  const whole = spanOf(network);
  return family === whole.family && first >= whole.first && last <= whole.last;
}

/** What spans have of the addresses from `first` to `last` of a family, disjoint and in order. */
export function cutSpans(spans: readonly AddressSpan[], { family, first, last }: AddressSpan): readonly AddressSpan[] {
  const cut = spans
    .filter((span) => span.family === family && span.first <= last && span.last >= first)
    .map((span) => ({
      family,
      first: span.first < first ? first : span.first,
      last: span.last > last ? last : span.last,
    }))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  const merged: AddressSpan[] = [];
  for (const span of cut) {
    const before = merged.at(-1);
    if (before === undefined || span.first > before.last + 1n) merged.push(span);
    else if (span.last > before.last) merged[merged.length - 1] = { ...before, last: span.last };
  }
  return merged;
}
