/** What `berth get devices|inventory` shows: plain values with stable names, made of what is known without asking anybody. */
import { lineage } from './inventory/inventory.ts';
import type { DevNode, Inventory, SysDevice } from './inventory/inventory.ts';
import type { Snapshot } from './units/unit.ts';

/** Who has a replica of a unit. */
export interface HolderView {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export interface DeviceView {
  readonly resource: string;
  readonly id: string;
  /** Paths on the host, those of its own first. */
  readonly nodes: readonly string[];
  readonly health: 'Healthy' | 'Unhealthy';
  /** Why it is unhealthy; empty when it is healthy. */
  readonly reason: string;
  readonly numaNode: number | null;
  readonly replicas: number;
  readonly holders: readonly HolderView[];
}

/** By resource, in the order in which units are advertised. */
export function deviceViews(
  snapshot: Snapshot,
  holdersOf: (resource: string, id: string) => readonly HolderView[],
): readonly DeviceView[] {
  return [...snapshot.values()].flatMap(({ rule, units }) =>
    [...units.values()].map((unit) => ({
      resource: rule.name,
      id: unit.id,
      nodes: [...unit.members.map(({ node }) => node.path), ...unit.companions.map(({ path }) => path)],
      health: unit.unhealthy === undefined ? ('Healthy' as const) : ('Unhealthy' as const),
      reason: unit.unhealthy === undefined ? '' : harmless(`it ${unit.unhealthy}`, 512),
      numaNode: unit.numaNode ?? null,
      replicas: rule.sharing.replicas,
      holders: holdersOf(rule.name, unit.id),
    })),
  );
}

export interface InventoryView {
  /** Path of the node on the host. */
  readonly node: string;
  /** Kind and number, `c188:0`. */
  readonly number: string;
  readonly links: readonly string[];
  readonly subsystem: string;
  readonly driver: string;
  /** Where it is: `usb 1-1.4`, `pci 0000:3b:00.0`, or empty. */
  readonly bus: string;
  /** `10c4:ea60` of the USB device or PCI function; empty for others. */
  readonly model: string;
  /** What the device calls itself, harmless and short. */
  readonly product: string;
  readonly numaNode: number | null;
  /** The resource that offers it; empty when none does. */
  readonly resource: string;
  /** What the node itself uses it for. */
  readonly inUse: string;
}

/** By path. */
export function inventoryViews(inventory: Inventory, snapshot: Snapshot): readonly InventoryView[] {
  const owners = new Map<string, string>();
  for (const { rule, units } of snapshot.values())
    for (const { present, members } of units.values())
      if (present) for (const { node } of members) owners.set(node.number, rule.name);
  return [...inventory.nodes.values()]
    .map((node) => viewOf(node, inventory, owners.get(node.number) ?? ''))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}

function viewOf(node: DevNode, inventory: Inventory, resource: string): InventoryView {
  const line = lineage(inventory, node.device);
  const usb = line.find(({ devtype }) => devtype === 'usb_device');
  const pci = line.find(({ subsystem }) => subsystem === 'pci');
  return {
    node: node.path,
    number: node.number,
    links: node.links,
    subsystem: line[0]?.subsystem ?? '',
    driver: line.find(({ driver }) => driver !== undefined)?.driver ?? '',
    bus: usb === undefined ? (pci === undefined ? '' : `pci ${pci.name}`) : `usb ${usb.name}`,
    model: usb === undefined ? modelOf(pci, 'vendor', 'device') : modelOf(usb, 'idVendor', 'idProduct'),
    product: harmless(usb?.attributes['product'] ?? ''),
    numaNode: line.find(({ numaNode }) => numaNode !== undefined)?.numaNode ?? null,
    resource,
    inUse: inventory.inUse.get(node.number) ?? '',
  };
}

function modelOf(device: SysDevice | undefined, vendor: string, product: string): string {
  const parts = [device?.attributes[vendor], device?.attributes[product]];
  return parts.every((part) => part !== undefined)
    ? harmless(parts.map((part) => part.replace(/^0x/, '')).join(':'))
    : '';
}

/** What a device says of itself, for a terminal: no control characters, and not too long. */
function harmless(text: string, most = 64): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, most);
}
