/** What `berth get` shows of the pod network: attachments and pools, as plain values with stable names. */
import { formatNetwork } from './addresses.ts';
import type { Allocator } from './allocator.ts';
import type { Attachment } from './attachment.ts';
import type { NodePlan } from './nodes/noderoutes.ts';
import type { PortMapping } from './wishes.ts';

export interface AttachmentView {
  readonly namespace: string;
  readonly pod: string;
  /** Empty where the runtime did not tell. */
  readonly podUID: string;
  readonly interface: string;
  readonly addresses: readonly string[];
  readonly containerID: string;
  /** The node's end. */
  readonly link: string;
  readonly mtu: number;
  /** `8080->80/tcp`, and `192.0.2.1:8080->80/tcp` where it is for one address of the node. */
  readonly ports: readonly string[];
  /** Bits per second; 0 where there is no limit. */
  readonly ingressRate: number;
  readonly egressRate: number;
  readonly state: string;
  /** When it was reserved, ISO 8601. */
  readonly since: string;
}

/** By namespace, pod and interface. */
export function attachmentViews(attachments: readonly Attachment[]): readonly AttachmentView[] {
  return attachments
    .map((attachment) => ({
      namespace: attachment.pod?.namespace ?? '',
      pod: attachment.pod?.name ?? '',
      podUID: attachment.pod?.uid ?? '',
      interface: attachment.ifname,
      addresses: attachment.addresses,
      containerID: attachment.containerID,
      link: attachment.host.name,
      mtu: attachment.mtu,
      ports: (attachment.ports ?? []).map(portText),
      ingressRate: 8 * (attachment.limits?.ingress?.rate ?? 0),
      egressRate: 8 * (attachment.limits?.egress?.rate ?? 0),
      state: attachment.state,
      since: new Date(attachment.since).toISOString(),
    }))
    .sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
}

function portText({ protocol, hostIP, hostPort, containerPort }: PortMapping): string {
  const host = hostIP.includes(':') ? `[${hostIP}]:` : hostIP === '' ? '' : `${hostIP}:`;
  return `${host}${hostPort}->${containerPort}/${protocol}`;
}

function keyOf({ namespace, pod, interface: name }: AttachmentView): string {
  return `${namespace}/${pod}/${name}`;
}

export interface RouteView {
  /** The other node. */
  readonly node: string;
  /** Its pod range; empty when none of what it claims is believed. */
  readonly range: string;
  /** `direct` over a link of this node, `tunnel`, or `none`. */
  readonly way: 'direct' | 'tunnel' | 'none';
  /** The address packets go to: the node's own, or that of its end of the tunnel. */
  readonly via: string;
  /** Why there is no way. */
  readonly reason: string;
}

/** By node and range. Before all nodes are known there are none. */
export function routeViews(plan: NodePlan | undefined): readonly RouteView[] {
  const { routes = [], unreachable = [], refusals = [] } = plan ?? {};
  return [
    ...routes.map(({ node, destination, via, end }): RouteView => ({
      node,
      range: destination,
      way: end === undefined ? 'direct' : 'tunnel',
      via: end?.address ?? via,
      reason: '',
    })),
    ...[...unreachable, ...refusals].map(({ node, reason, range = '' }): RouteView => ({
      node,
      range,
      way: 'none',
      via: '',
      reason,
    })),
  ].sort((a, b) => a.node.localeCompare(b.node) || a.range.localeCompare(b.range));
}

/** `berth get pools` shows those of storage beside them. */
export interface AddressPoolView {
  readonly kind: 'addresses';
  readonly range: string;
  /** Addresses that pods can have. */
  readonly size: number;
  readonly used: number;
  readonly free: number;
  /** Those of the free that were given back so recently that others are taken first. */
  readonly cooling: number;
}

export function poolViews(ranges: readonly Allocator[]): readonly AddressPoolView[] {
  return ranges.map(({ network, size, used, free, cooling }) => ({
    kind: 'addresses',
    range: formatNetwork(network),
    size,
    used,
    free,
    cooling,
  }));
}
