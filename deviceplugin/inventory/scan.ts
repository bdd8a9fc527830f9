/** Reads the whole inventory: the truth that everything quicker is measured by. */
import { realpathSync } from 'node:fs';
import { nodeFrom } from './devnode.ts';
import type { DeviceNumber, DevNode, Inventory, SysDevice } from './inventory.ts';
import { readUses } from './inuse.ts';
import { forEachBounded, pauses } from './patience.ts';
import { findPaths, leadsTo } from './paths.ts';
import { readDevice } from './sysdevice.ts';
import type { DeviceReading } from './sysdevice.ts';
import { listDevices } from './sysfs.ts';
import type { InventoryRoots, Wants } from './wants.ts';

/** Devices that are read at a time; their files wait for each other. */
const maxDevicesAtOnce = 8;

/**
 * Reads what the machine has. What vanishes or cannot be read is absent. Throws when there is no /dev or no sysfs, and
 * when this process has no descriptors or memory left.
 */
export async function scanInventory(roots: InventoryRoots, wants: Wants): Promise<Inventory> {
  const root = realpathSync.native(roots.devRoot);
  const listed = await listDevices(roots.sysRoot);
  const readings = await readDevices(roots, wants, listed);
  const found = await findPaths(root, wants.globs);
  // Read side by side, they have come in any order.
  const order = [...readings.keys()].sort();
  const devices = new Map(
    order.flatMap((devpath): [string, SysDevice][] => {
      const device = readings.get(devpath)?.device;
      return device === undefined ? [] : [[devpath, device]];
    }),
  );
  const nodes = new Map<DeviceNumber, DevNode>();
  const add = (node: DevNode | undefined): void => {
    if (node !== undefined) nodes.set(node.number, node);
  };
  const pause = pauses();
  for (const devpath of order) {
    const reading = readings.get(devpath);
    const number = reading?.device.number;
    if (reading === undefined || number === undefined) continue;
    await pause();
    const { devname, links } = reading;
    const names = [...(found.names.get(number) ?? []), ...existing(root, links, number)];
    add(nodeFrom(root, wants.globs, { number, device: devpath, devname, names }));
  }
  const known = new Set([...devices.values()].map(({ number }) => number));
  for (const [number, names] of found.names)
    if (!known.has(number)) add(nodeFrom(root, wants.globs, { number, device: undefined, devname: undefined, names }));
  return { devices, nodes, misfits: found.misfits, inUse: await readUses(root, roots, devices, nodes) };
}

/** Reads devices, given with their parents; those that have gone meanwhile are left out. */
export async function readDevices(
  roots: InventoryRoots,
  wants: Wants,
  listed: ReadonlyMap<string, string | undefined>,
): Promise<ReadonlyMap<string, DeviceReading>> {
  const readings = new Map<string, DeviceReading>();
  await forEachBounded(listed, maxDevicesAtOnce, async ([devpath, parent]) => {
    const reading = await readDevice(roots, wants, devpath, parent);
    if (reading !== undefined) readings.set(devpath, reading);
  });
  return readings;
}

/** Those of the names that lead to the device. */
export function existing(root: string, names: Iterable<string>, number: DeviceNumber): readonly string[] {
  return [...names].filter((name) => {
    const found = leadsTo(root, name);
    return found !== undefined && 'number' in found && found.number === number;
  });
}
