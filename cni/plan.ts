/** What one attachment needs from the kernel, as requests. Pure: a record in, requests out. Routed veth, no bridge. */
import { familyOf } from '../linux/ipaddress.ts';
import type { Family } from '../linux/ipaddress.ts';
import type { NetworkNamespace } from '../linux/netns.ts';
import type { RouteRequest } from '../linux/rtnetlink/requests.ts';
import { hostNetwork } from './addresses.ts';
import { doomedGroup, hostLinkName, linkAlias, linkGroup, macOf } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import type { AttachmentKey, PodName } from './request.ts';
import type { AddResult } from './result.ts';
import { limitRequests, limitsOf } from './limits.ts';
import type { Bandwidth, PortMapping } from './wishes.ts';

/**
 * Gateways of all pods. No interface has them: the pod knows their MAC by a static neighbour, so there is no ARP and no
 * neighbour discovery, and the node's own connections to pods keep the node's address as source.
 */
const gateways = { 4: '169.254.1.1', 6: 'fe80::1' } as const;
const everywhere = { 4: '0.0.0.0/0', 6: '::/0' } as const;

/** The addresses the node's own connections to pods get, by family. */
export type Sources = Readonly<Partial<Record<Family, string>>>;
const loopbackIndex = 1;

export interface AttachmentInput {
  readonly key: AttachmentKey;
  readonly network: string;
  readonly namespace: NetworkNamespace;
  /** One of each family. */
  readonly addresses: readonly string[];
  readonly mac: string | undefined;
  readonly ports: readonly PortMapping[];
  readonly bandwidth: Bandwidth | undefined;
  readonly mtu: number;
  readonly pod: PodName | undefined;
  readonly now: number;
  /** Yields an interface index for each end. */
  readonly pickIndex: () => number;
}

/**
 * An index far above those the kernel gives out, for the link to be named within the batch that creates it. The kernel
 * refuses one that is taken, and the runtime then tries again; with 1,000 pods that is one ADD in 16,000.
 */
export function randomIndex(random: () => number = Math.random): number {
  return 0x10_0000 + Math.floor(random() * 0xf0_0000);
}

/** The record of an attachment about to be made. */
export function planAttachment(input: AttachmentInput): Attachment {
  const { key, namespace, pod } = input;
  const limits = limitsOf(key, input.bandwidth, input.mtu, input.pickIndex);
  return {
    containerID: key.containerID,
    ifname: key.ifname,
    network: input.network,
    netns: { path: namespace.path, identity: namespace.identity },
    addresses: [...input.addresses],
    host: { name: hostLinkName(key), index: input.pickIndex(), mac: macOf(key, 'host') },
    sandbox: { name: key.ifname, index: input.pickIndex(), mac: input.mac ?? macOf(key, 'sandbox') },
    mtu: input.mtu,
    ...(input.ports.length === 0 ? {} : { ports: [...input.ports] }),
    ...(limits === undefined ? {} : { limits }),
    ...(pod === undefined ? {} : { pod }),
    state: 'reserved',
    since: input.now,
  };
}

/** Creates the pair and makes the node reach the pod. */
export function hostRequests(
  attachment: Attachment,
  namespace: NetworkNamespace,
  sources: Sources,
): readonly RouteRequest[] {
  const { host, sandbox, mtu } = attachment;
  return [
    {
      op: 'create-veth',
      ...host,
      mtu,
      group: linkGroup,
      peer: { ...sandbox, mtu, namespace },
    },
    ...quietRequests(attachment, host.index),
    { op: 'set-link', index: host.index, alias: linkAlias(attachment), up: true },
    // For the node's own 127.0.0.1; what comes from elsewhere with such an address is dropped (chain guard).
    ...((attachment.ports ?? []).length > 0
      ? [{ op: 'set-link', index: host.index, routeLocalnet: true } as const]
      : []),
    // Before the pod can be reached: it never runs free.
    ...limitRequests(attachment),
    ...reachRequests(attachment, sources),
  ];
}

/** Has nobody make up IPv6 addresses: before the link is up, and only where IPv6 is asked for, as a kernel may lack it. */
function quietRequests({ addresses }: Attachment, index: number): readonly RouteRequest[] {
  return addresses.some((address) => familyOf(address) === 6)
    ? [{ op: 'set-link', index, addressGeneration: 'none' }]
    : [];
}

/** Makes the node reach the pod over a link that exists. */
export function reachRequests(attachment: Attachment, sources: Sources): readonly RouteRequest[] {
  const { index } = attachment.host;
  return attachment.addresses.flatMap((address): RouteRequest[] => {
    const source = sources[familyOf(address)];
    return [
      { op: 'add-neighbour', index, address, mac: attachment.sandbox.mac },
      { op: 'add-route', index, destination: hostNetwork(address), ...(source === undefined ? {} : { source }) },
    ];
  });
}

/** Configures the pod's end, through a socket inside the pod's namespace. */
export function sandboxRequests(attachment: Attachment): readonly RouteRequest[] {
  const { index } = attachment.sandbox;
  return [
    // CRI-O brings lo up itself, containerd does so with a plugin or itself; a third time does no harm.
    { op: 'set-link', index: loopbackIndex, up: true },
    ...quietRequests(attachment, index),
    ...attachment.addresses.map((address) => ({ op: 'add-address', index, address: hostNetwork(address) }) as const),
    { op: 'set-link', index, up: true },
    ...attachment.addresses.flatMap((address) => defaultRequests(familyOf(address), attachment)),
  ];
}

function defaultRequests(family: Family, { sandbox: { index }, host }: Attachment): readonly RouteRequest[] {
  const gateway = gateways[family];
  return [
    { op: 'add-neighbour', index, address: gateway, mac: host.mac },
    // A link-local gateway of IPv6 is on its link by itself.
    ...(family === 4 ? [{ op: 'add-route', index, destination: hostNetwork(gateway) } as const] : []),
    { op: 'add-route', index, destination: everywhere[family], via: gateway },
  ];
}

/** The default routes that a pod of these addresses has. */
export function defaultRoutes(addresses: readonly string[]): readonly { readonly dst: string; readonly gw: string }[] {
  return addresses.map((address) => ({ dst: everywhere[familyOf(address)], gw: gateways[familyOf(address)] }));
}

/** Brings the loopback interface of a namespace up. */
export const loopbackRequests: readonly RouteRequest[] = [{ op: 'set-link', index: loopbackIndex, up: true }];

/** Takes the pod off the node's routes; its link is deleted apart, together with those of others. */
export function releaseRequests(attachment: Attachment): readonly RouteRequest[] {
  const { index } = attachment.host;
  return attachment.addresses.flatMap((address): RouteRequest[] => [
    { op: 'delete-route', index, destination: hostNetwork(address) },
    { op: 'delete-neighbour', index, address },
  ]);
}

/** Deletes links by their indexes in one grace period of the kernel. */
export function deleteLinksRequests(indexes: readonly number[]): readonly RouteRequest[] {
  return [
    ...indexes.map((index) => ({ op: 'set-link', index, group: doomedGroup }) as const),
    { op: 'delete-links', group: doomedGroup },
  ];
}

/** The answer to ADD. */
export function resultOf({ host, sandbox, mtu, netns, addresses }: Attachment): AddResult {
  return {
    interfaces: [
      { name: host.name, mac: host.mac, mtu },
      { name: sandbox.name, mac: sandbox.mac, mtu, sandbox: netns.path },
    ],
    ips: addresses.map((address) => ({
      address: hostNetwork(address),
      gateway: gateways[familyOf(address)],
      interface: 1,
    })),
    routes: defaultRoutes(addresses),
  };
}
