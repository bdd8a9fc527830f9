/**
 * The tunnel to nodes that are not on a link of this one: one VXLAN device (RFC 7348) and what it is told. Pure.
 *
 * Nothing is agreed on between the nodes: each derives its own MAC, and those of the others, from the internal addresses
 * that the Node objects give. The device has the first address of this node's pod ranges, which no pod gets, so that what
 * the node itself sends to far pods comes back by the same way.
 */
import { createHash } from 'node:crypto';
import { familyOf } from '../../linux/ipaddress.ts';
import type { Family } from '../../linux/ipaddress.ts';
import type { ForwardingState, RouteRequest, VxlanSettings } from '../../linux/rtnetlink/requests.ts';
import type { AddressState, LinkState, NeighbourState } from '../../linux/rtnetlink/rtnetlink.ts';
import { formatAddress, hostNetwork } from '../addresses.ts';
import type { Network } from '../addresses.ts';
import { tunnelGroup } from '../attachment.ts';
import { deleteLinksRequests } from '../plan.ts';
import type { NodeFacts } from './nodefacts.ts';
import { firstAddress } from './ranges.ts';

export const tunnelName = 'berth-vxlan';
const tunnelAlias = 'berth:nodes';

/** The other end of the tunnel, at one node. */
export interface TunnelEnd {
  readonly node: string;
  /** Its address on the underlying network. */
  readonly address: string;
  readonly mac: string;
}

/** What this node's device is to be. */
export interface Tunnel extends VxlanSettings {
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
  /** Its own addresses, one of each family of pod ranges. */
  readonly addresses: readonly string[];
}

/** Bytes that encapsulation adds: Ethernet, VXLAN, UDP and IP. */
export function overheadOf(family: Family): number {
  return family === 4 ? 50 : 70;
}

/** Locally administered, and the same on every node for an address. */
export function tunnelMac(address: string): string {
  const digest = createHash('sha256').update(`vxlan/${address}`).digest('hex');
  return ['02', ...(digest.match(/../g) ?? []).slice(0, 5)].join(':');
}

/** The next hop to an end: for IPv6 pods one of the link, made of the MAC, as the node may have no IPv6 address. */
export function gatewayOf({ address, mac }: Pick<TunnelEnd, 'address' | 'mac'>, family: Family): string {
  return family === 4 ? address : formatAddress(6, (0xfe80n << 112n) | BigInt(`0x${mac.replaceAll(':', '')}`));
}

/** The device's own addresses: the first of the first range of each family. */
function tunnelAddresses(own: readonly Network[]): readonly string[] {
  return ([4, 6] as const).flatMap((family) => {
    const range = own.find((network) => network.family === family);
    return range === undefined ? [] : [formatAddress(family, range.base + 1n)];
  });
}

export interface OwnEndInput {
  /** VXLAN network identifier and UDP port. */
  readonly settings: Pick<VxlanSettings, 'id' | 'port'>;
  /** What the API says of this node. */
  readonly facts: NodeFacts | undefined;
  /** Pod ranges of this node. */
  readonly own: readonly Network[];
  readonly addresses: readonly AddressState[];
  /** The link of the name, if there is one. */
  readonly device: LinkState | undefined;
  /** MTU of the underlying network. */
  readonly mtu: number;
  readonly pickIndex: () => number;
}

/** This node's end of the tunnel, or a sentence why there can be none. A device that is right keeps its index. */
export function ownEnd(input: OwnEndInput): Tunnel | string {
  const { settings, facts, device } = input;
  const here = new Set(input.addresses.map(({ address }) => address.replace(/\/.*/, '')));
  const candidates = ([4, 6] as const).flatMap((family) => (facts && firstAddress(facts, family)) ?? []);
  const local = candidates.find((address) => here.has(address));
  if (local === undefined)
    return `this node has none of the internal addresses that its Node object names (${candidates.join(', ') || 'none'}), so it has no end of a tunnel`;
  if (device !== undefined && device.group !== tunnelGroup)
    return `a link ${tunnelName} that is not Berth's is in the way of the tunnel; delete or rename it`;
  const wanted = {
    ...settings,
    local,
    mac: tunnelMac(local),
    mtu: input.mtu - overheadOf(familyOf(local)),
    addresses: tunnelAddresses(input.own),
  };
  const keeps = device !== undefined && isTunnel(device, wanted);
  return { ...wanted, index: keeps ? device.index : input.pickIndex() };
}

/** Whether a device is, but for its MTU, what it is to be; else it has to be made anew. */
function isTunnel(device: LinkState, wanted: Omit<Tunnel, 'index'>): boolean {
  const { vxlan, mac } = device;
  return vxlan?.id === wanted.id && vxlan.port === wanted.port && vxlan.local === wanted.local && mac === wanted.mac;
}

export interface TunnelInput {
  readonly wanted: Tunnel;
  readonly ends: readonly TunnelEnd[];
  /** The link of the name, if there is one; it is ours. */
  readonly device: LinkState | undefined;
  readonly addresses: readonly AddressState[];
  readonly neighbours: readonly NeighbourState[];
  readonly forwardings: readonly ForwardingState[];
}

/** What leads from the kernel as it is to the tunnel as it should be. Nothing that is right is touched. */
export interface TunnelChanges {
  /** To be done before routes change. */
  readonly before: readonly RouteRequest[];
  /** Once no route needs it any more. */
  readonly after: readonly RouteRequest[];
}

export function tunnelChanges(input: TunnelInput): TunnelChanges {
  const { wanted, device, ends } = input;
  const { index } = wanted;
  const kept = device?.index === index ? device : undefined;
  const of = <T extends { readonly index: number }>(entries: readonly T[]): readonly T[] =>
    kept === undefined ? [] : entries.filter((entry) => entry.index === index);
  const forwardings = missing(
    ends.map(({ mac, address: to }) => ({ index, mac, to })),
    of(input.forwardings),
    ({ mac, to }) => `${mac} ${to}`,
  );
  const neighbours = missing(
    ends.flatMap((end) => neighboursOf(end, index)),
    of(input.neighbours),
    ({ address, mac }) => `${address} ${mac}`,
  );
  const there = new Set(of(input.addresses).map(({ address }) => address));
  // One that is replaced under its key must not be deleted afterwards.
  const replaced = new Set(neighbours.added.map(({ address }) => address));
  return {
    before: [
      ...(kept === undefined ? [...(device === undefined ? [] : removal(device)), ...creation(wanted)] : []),
      ...(kept !== undefined && kept.mtu !== wanted.mtu ? [{ op: 'set-link', index, mtu: wanted.mtu } as const] : []),
      ...(kept?.up === false ? [{ op: 'set-link', index, up: true } as const] : []),
      ...wanted.addresses
        .map(hostNetwork)
        .filter((address) => !there.has(address))
        .map((address) => ({ op: 'add-address', index, address }) as const),
      ...forwardings.added.map((entry) => ({ op: 'add-forwarding', ...entry }) as const),
      ...neighbours.added.map((entry) => ({ op: 'add-neighbour', ...entry }) as const),
    ],
    after: [
      ...neighbours.spare
        .filter(({ address }) => !replaced.has(address))
        .map(({ address }) => ({ op: 'delete-neighbour', index, address }) as const),
      ...forwardings.spare.map((entry) => ({ op: 'delete-forwarding', ...entry }) as const),
    ],
  };
}

/** Takes a device of ours away, and with it all that was told to it. */
export function removal({ index }: LinkState): readonly RouteRequest[] {
  return deleteLinksRequests([index]);
}

function creation({ index, mac, mtu, id, port, local, addresses }: Tunnel): readonly RouteRequest[] {
  return [
    { op: 'create-vxlan', name: tunnelName, index, mac, mtu, group: tunnelGroup, id, port, local },
    // Before it is up, and only where IPv6 is asked for, as a kernel may lack it.
    ...(addresses.some((address) => address.includes(':'))
      ? [{ op: 'set-link', index, addressGeneration: 'none' } as const]
      : []),
    { op: 'set-link', index, alias: tunnelAlias, up: true },
  ];
}

function neighboursOf(end: TunnelEnd, index: number): readonly NeighbourState[] {
  const { mac } = end;
  const families: readonly Family[] = end.address.includes(':') ? [6] : [4, 6];
  return families.map((family) => ({ index, address: gatewayOf(end, family), mac }));
}

/** What is wanted and not there, and what is there and not wanted. */
function missing<T>(
  wanted: readonly T[],
  there: readonly T[],
  keyOf: (entry: T) => string,
): { readonly added: readonly T[]; readonly spare: readonly T[] } {
  const [now, then] = [new Set(there.map(keyOf)), new Set(wanted.map(keyOf))];
  return {
    added: wanted.filter((entry) => !now.has(keyOf(entry))),
    spare: there.filter((entry) => !then.has(keyOf(entry))),
  };
}
