/** Which pod ranges of other nodes are believed: none that is nonsense, would swallow addresses of nodes, or is claimed twice. Pure. */
import type { Family } from '../../linux/ipaddress.ts';
import { contains, formatAddress, formatNetwork, overlap, parseAddress, parseNetwork } from '../addresses.ts';
import type { Network } from '../addresses.ts';
import type { NodeFacts } from './nodefacts.ts';

export interface NodeRange {
  readonly node: string;
  readonly range: Network;
  /** The node's first internal address of the same family; undefined while it has none. */
  readonly address: string | undefined;
}

/** A sentence about a range of a node that is not used. */
export interface Refusal {
  readonly node: string;
  /** Where it is about one range. */
  readonly range?: string;
  readonly reason: string;
}

export interface RangesInput {
  /** This node, which is left out. */
  readonly nodeName: string;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  /** Pod ranges of this node. */
  readonly own: readonly Network[];
  /** Addresses that are no pods': those of this node and its gateways. */
  readonly addresses: readonly string[];
  /** Whether a range leads to that node already: of two that claim the same, this one was there first. */
  readonly isEstablished: (range: NodeRange) => boolean;
}

const widestPrefix = { 4: 8, 6: 32 } as const;
// "This" network, loopback, link-local (the pods' gateways are), multicast and what is reserved behind it.
const reserved = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'],
  ...['::/8', 'fe80::/10', 'ff00::/8'],
].flatMap((text) => parseNetwork(text) ?? []);

export function believedRanges(input: RangesInput): {
  readonly ranges: readonly NodeRange[];
  readonly refusals: readonly Refusal[];
} {
  const refusals: Refusal[] = [];
  const candidates: NodeRange[] = [];
  const known = [...input.addresses, ...[...input.nodes.values()].flatMap(({ addresses }) => addresses)];
  const nodeAddresses = { 4: sorted(known, 4), 6: sorted(known, 6) };
  for (const [node, facts] of input.nodes) {
    if (node === input.nodeName) continue;
    for (const text of new Set(facts.podCIDRs)) {
      const range = parseNetwork(text);
      const reason =
        range === undefined
          ? `${JSON.stringify(text)} is not a network`
          : reasonAgainst(range, input.own, nodeAddresses[range.family]);
      if (range !== undefined && reason === undefined)
        candidates.push({ node, range, address: firstAddress(facts, range.family) });
      else refusals.push({ node, reason: `pod range ${reason ?? text}` });
    }
  }
  const doubtful = contested(candidates, input.isEstablished);
  for (const [{ node }, reason] of doubtful) refusals.push({ node, reason });
  return { ranges: candidates.filter((candidate) => !doubtful.has(candidate)), refusals };
}

/** The first internal address of a family that can be a node's. */
export function firstAddress(facts: NodeFacts, family: Family): string | undefined {
  for (const text of facts.addresses) {
    const parsed = parseAddress(text);
    if (parsed?.family !== family) continue;
    const { value } = parsed;
    if (!reserved.some((network) => network.family === family && contains(network, value)))
      return formatAddress(family, value);
  }
  return undefined;
}

function reasonAgainst(range: Network, own: readonly Network[], nodeAddresses: readonly bigint[]): string | undefined {
  const text = formatNetwork(range);
  const widest = widestPrefix[range.family];
  if (range.prefix < widest) return `${text} is wider than /${widest}`;
  if (reserved.some((network) => overlap(network, range))) return `${text} is not for pods`;
  const mine = own.find((network) => overlap(network, range));
  if (mine !== undefined) return `${text} overlaps ${formatNetwork(mine)}, a range of this node`;
  return hasAddressIn(nodeAddresses, range) ? `${text} holds addresses of nodes` : undefined;
}

function sorted(texts: readonly string[], family: Family): readonly bigint[] {
  const values = texts.flatMap((text) => {
    const parsed = parseAddress(text);
    return parsed?.family === family ? [parsed.value] : [];
  });
  return values.sort(byNumber);
}

function byNumber(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Binary search, because there are as many addresses as nodes. */
function hasAddressIn(addresses: readonly bigint[], range: Network): boolean {
  let [low, high] = [0, addresses.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((addresses[middle] ?? 0n) < range.base) low = middle + 1;
    else high = middle;
  }
  const next = addresses[low];
  return next !== undefined && contains(range, next);
}

/** Candidates that overlap another one, with the reason. An established one stays; of two others neither can be right. */
function contested(
  candidates: readonly NodeRange[],
  isEstablished: (range: NodeRange) => boolean,
): ReadonlyMap<NodeRange, string> {
  const doubtful = new Map<NodeRange, string>();
  const doubt = (one: NodeRange, other: NodeRange): void => {
    const [text, otherText] = [formatNetwork(one.range), formatNetwork(other.range)];
    doubtful.set(
      one,
      `pod range ${text} is claimed by node ${other.node}, too${text === otherText ? '' : ` (${otherText})`}`,
    );
  };
  const inOrder = [...candidates].sort(
    ({ range: a }, { range: b }) => a.family - b.family || byNumber(a.base, b.base) || a.prefix - b.prefix,
  );
  // Networks nest or are disjoint: the open ones, from the widest to the narrowest.
  let open: NodeRange[] = [];
  for (const candidate of inOrder) {
    open = open.filter(({ range }) => overlap(range, candidate.range));
    for (const wider of open) {
      const established = isEstablished(wider);
      if (established || !isEstablished(candidate)) doubt(candidate, wider);
      if (!established) doubt(wider, candidate);
    }
    open.push(candidate);
  }
  return doubtful;
}
