/** The tables of `berth get`, those of each kind; each takes the items as the agent sent them. */
import type { AddressPoolView, AttachmentView, RouteView } from '../../cni/views.ts';
import type { DeviceView, InventoryView } from '../../deviceplugin/views.ts';
import type { StoragePoolView } from '../../csi/views.ts';
import { ageText, orNone } from './cells.ts';
import type { Sheet, Table, TableOptions } from './cells.ts';
import type { Kind } from './choices.ts';
import { storagePoolSheet, storageTables } from './storagetables.ts';

export const tables: Readonly<Record<Kind, Table>> = {
  pools: (items, options) => poolSheets(items as readonly (AddressPoolView | StoragePoolView)[], options),
  routes: (items) =>
    sheet(
      ['NODE', 'RANGE', 'WAY', 'VIA', 'REASON'],
      (items as readonly RouteView[]).map(({ node, range, way, via, reason }) =>
        [node, range, way, via, reason].map(orNone),
      ),
    ),
  attachments: (items, { wide, now }) =>
    sheet(
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
    sheet(
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
    sheet(
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
  ...storageTables,
};

/** One table. */
function sheet(headings: readonly string[], rows: readonly (readonly string[])[]): readonly [Sheet] {
  return [{ headings, rows }];
}

/** Pools of addresses and of storage have little in common: one table for each, as kubectl prints several kinds. */
function poolSheets(items: readonly (AddressPoolView | StoragePoolView)[], options: TableOptions): readonly Sheet[] {
  const addresses = items.filter((item) => item.kind === 'addresses');
  const storage = items.filter((item) => item.kind === 'storage');
  const rows = addresses.map(({ range, size, used, free, cooling }) => [
    range,
    ...[size, used, free, cooling].map(String),
  ]);
  return [
    ...(rows.length === 0 ? [] : sheet(['RANGE', 'SIZE', 'USED', 'FREE', 'COOLING'], rows)),
    ...(storage.length === 0 ? [] : [storagePoolSheet(storage, options)]),
  ];
}

/** Bits per second as a Kubernetes quantity, rounded to three digits: 800k, 1.5M, 10M. */
export function rateText(bits: number): string {
  if (bits === 0) return '<none>';
  const power = Math.min(4, Math.floor(Math.log10(bits) / 3));
  return `${Number((bits / 1_000 ** power).toPrecision(3))}${['', 'k', 'M', 'G', 'T'][power] ?? ''}`;
}
