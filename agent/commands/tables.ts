/** The tables of `berth get`, one for each kind; each takes the items as the agent sent them. */
import type { AddressPoolView, AttachmentView, RouteView } from '../../cni/views.ts';
import type { DeviceView, InventoryView } from '../../deviceplugin/views.ts';
import { formatTable } from '../../kit/table.ts';
import type { Kind } from './choices.ts';

export interface TableOptions {
  readonly wide: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Table = (items: readonly unknown[], options: TableOptions) => string;

export const tables: Readonly<Record<Kind, Table>> = {
  pools: (items) =>
    formatTable(
      ['RANGE', 'SIZE', 'USED', 'FREE', 'COOLING'],
      (items as readonly AddressPoolView[]).map(({ range, size, used, free, cooling }) => [
        range,
        ...[size, used, free, cooling].map(String),
      ]),
    ),
  routes: (items) =>
    formatTable(
      ['NODE', 'RANGE', 'WAY', 'VIA', 'REASON'],
      (items as readonly RouteView[]).map(({ node, range, way, via, reason }) =>
        [node, range, way, via, reason].map(orNone),
      ),
    ),
  attachments: (items, { wide, now }) =>
    formatTable(
      [
        ...['NAMESPACE', 'POD', 'INTERFACE', 'ADDRESS', 'PORTS', 'INGRESS', 'EGRESS', 'AGE'],
        ...(wide ? ['STATE', 'LINK', 'MTU', 'CONTAINER'] : []),
      ],
      (items as readonly AttachmentView[]).map((item) => [
        orNone(item.namespace),
        orNone(item.pod),
        item.interface,
        item.addresses.join(','),
        orNone(item.ports.join(',')),
        rateText(item.ingressRate),
        rateText(item.egressRate),
        ageText(now - Date.parse(item.since)),
        ...(wide ? [item.state, item.link, String(item.mtu), item.containerID] : []),
      ]),
    ),
  devices: (items, { wide }) =>
    formatTable(
      ['RESOURCE', 'ID', 'NODES', 'HEALTH', 'NUMA', 'USED', ...(wide ? ['HOLDERS'] : []), 'REASON'],
      (items as readonly DeviceView[]).map((item) => [
        item.resource,
        item.id,
        orNone(item.nodes.join(',')),
        item.health,
        orNone(item.numaNode?.toString() ?? ''),
        `${item.holders.length}/${item.replicas}`,
        ...(wide
          ? [orNone(item.holders.map(({ namespace, pod, container }) => `${namespace}/${pod}/${container}`).join(','))]
          : []),
        orNone(item.reason),
      ]),
    ),
  inventory: (items, { wide }) =>
    formatTable(
      [
        'NODE',
        'SUBSYSTEM',
        'DRIVER',
        'BUS',
        'MODEL',
        'NUMA',
        'RESOURCE',
        ...(wide ? ['LINKS', 'IN USE', 'PRODUCT'] : []),
      ],
      (items as readonly InventoryView[]).map((item) =>
        [
          item.node,
          item.subsystem,
          item.driver,
          item.bus,
          item.model,
          item.numaNode?.toString() ?? '',
          item.resource,
          ...(wide ? [item.links.join(','), item.inUse, item.product] : []),
        ].map(orNone),
      ),
    ),
};

function orNone(text: string): string {
  return text === '' ? '<none>' : text;
}

/** Bits per second as a Kubernetes quantity, rounded to three digits: 800k, 1.5M, 10M. */
export function rateText(bits: number): string {
  if (bits === 0) return '<none>';
  const power = Math.min(4, Math.floor(Math.log10(bits) / 3));
  return `${Number((bits / 1_000 ** power).toPrecision(3))}${['', 'k', 'M', 'G', 'T'][power] ?? ''}`;
}

/** A time span as kubectl writes it, with one unit: 45s, 12m, 7h, 3d. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
