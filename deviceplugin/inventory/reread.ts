/** Inventories made from an older one: a few devices read again, some dropped, or the names below /dev looked at again. */
import { realpathSync } from 'node:fs';
import { join, posix } from 'node:path';
import { matchesPath } from '../config/pathglob.ts';
import { readAttribute } from './attributefile.ts';
import { nodeFrom } from './devnode.ts';
import type { NodeParts } from './devnode.ts';
import type { DeviceNumber, DevNode, Inventory, SysDevice } from './inventory.ts';
import { readUses } from './inuse.ts';
import { pauses } from './patience.ts';
import { findPaths, isNode } from './paths.ts';
import { parseProperties } from './properties.ts';
import { existing, readDevices } from './scan.ts';
import type { DeviceReading } from './sysdevice.ts';
import { concerns, isWanted, listSubtree } from './sysfs.ts';
import type { InventoryRoots, Wants } from './wants.ts';

/** By devpath, what was read at and below some places, and of what is above them. */
type Readings = ReadonlyMap<string, DeviceReading>;

/** The inventory with one device, all below it and all above it read again; without them if it has gone. */
export async function rereadDevice(
  inventory: Inventory,
  roots: InventoryRoots,
  wants: Wants,
  devpath: string,
): Promise<Inventory> {
  if (!concerns(devpath)) return inventory;
  return await withReadings(inventory, roots, wants, [devpath], await readSubtrees(roots, wants, [devpath]));
}

/** Reads what is at and below these places now, and above. */
export async function readSubtrees(
  roots: InventoryRoots,
  wants: Wants,
  devpaths: readonly string[],
): Promise<Readings> {
  const listed = new Map<string, string | undefined>();
  const all = new Set(devpaths);
  for (const devpath of all)
    // What is below another of them is listed with that one.
    if (!isBelow(posix.dirname(devpath), all))
      for (const [each, parent] of await listSubtree(roots.sysRoot, devpath)) listed.set(each, parent);
  return await readDevices(roots, wants, listed);
}

/** The inventory with what was at these places replaced by what has been read there. */
export async function withReadings(
  inventory: Inventory,
  roots: InventoryRoots,
  wants: Wants,
  devpaths: readonly string[],
  readings: Readings,
): Promise<Inventory> {
  const places = new Set(devpaths);
  const devices = new Map<string, SysDevice>();
  for (const [devpath, device] of inventory.devices) if (!isBelow(devpath, places)) devices.set(devpath, device);
  for (const [devpath, { device }] of readings) devices.set(devpath, device);
  prune(devices);
  const changed = renew(inventory, roots, wants, devices, readings);
  // Nothing is said of mounts, so that they are looked at when disks come or go or are attached, and with all the rest.
  if (!blocksDiffer(inventory.devices, devices)) return changed;
  const root = realpathSync.native(roots.devRoot);
  return { ...changed, inUse: await readUses(root, roots, devices, changed.nodes) };
}

/** The inventory without the devices at and below these places, at once and without a look at sysfs. */
export function withoutDevices(
  inventory: Inventory,
  roots: InventoryRoots,
  wants: Wants,
  devpaths: readonly string[],
): Inventory {
  const places = new Set(devpaths);
  const devices = new Map<string, SysDevice>();
  for (const [devpath, device] of inventory.devices) if (!isBelow(devpath, places)) devices.set(devpath, device);
  if (devices.size === inventory.devices.size) return inventory;
  prune(devices);
  return renew(inventory, roots, wants, devices, new Map());
}

/** The inventory with nodes and links looked at again: for what neither the kernel nor udev tell of. */
export async function rereadNodes(inventory: Inventory, roots: InventoryRoots, wants: Wants): Promise<Inventory> {
  const root = realpathSync.native(roots.devRoot);
  const { names, misfits } = await findPaths(root, wants.globs);
  const owners = ownersOf(inventory.devices);
  const nodes = new Map<DeviceNumber, DevNode>();
  const pause = pauses();
  for (const number of new Set([...owners.keys(), ...names.keys()])) {
    await pause();
    const before = inventory.nodes.get(number);
    const device = owners.get(number);
    const found = new Set(names.get(number));
    const known = (before?.links ?? []).map(nameOf).filter((name) => !found.has(name));
    const devname = await kernelName(root, roots, wants, before, device);
    const all = [...found, ...existing(root, known, number)];
    addNode(nodes, root, wants, { number, device, devname, names: all });
  }
  return { ...inventory, nodes, misfits };
}

/** The kernel's name of a node. It is read where it may be another than the one the node has now. */
async function kernelName(
  root: string,
  { sysRoot }: InventoryRoots,
  { globs }: Wants,
  before: DevNode | undefined,
  device: string | undefined,
): Promise<string | undefined> {
  if (device === undefined) return undefined;
  if (before !== undefined && !globs.some((glob) => matchesPath(glob, before.path))) {
    const name = nameOf(before.path);
    if (isNode(root, name, before.number)) return name;
  }
  const uevent = await readAttribute(join(sysRoot, device, 'uevent'));
  const { DEVNAME } = parseProperties(uevent?.split('\n') ?? []);
  return DEVNAME?.split('/').includes('..') === true ? undefined : DEVNAME;
}

/** Nodes of the devices that were read or have gone are put together anew, all others stay. */
function renew(
  inventory: Inventory,
  roots: InventoryRoots,
  wants: Wants,
  devices: ReadonlyMap<string, SysDevice>,
  readings: Readings,
): Inventory {
  const root = realpathSync.native(roots.devRoot);
  const nodes = new Map(inventory.nodes);
  const inUse = new Map(inventory.inUse);
  const again = new Map<DeviceNumber, DeviceReading | undefined>();
  for (const [devpath, { number }] of inventory.devices)
    if (number !== undefined && !devices.has(devpath)) {
      again.set(number, undefined);
      inUse.delete(number);
    }
  for (const reading of readings.values())
    if (reading.device.number !== undefined) again.set(reading.device.number, reading);
  for (const [number, reading] of again) {
    const before = nodes.get(number);
    nodes.delete(number);
    const candidates = new Set([...(reading?.links ?? []), ...(before?.links ?? []).map(nameOf)]);
    if (before !== undefined) candidates.add(nameOf(before.path));
    if (reading?.devname !== undefined) candidates.delete(reading.devname);
    addNode(nodes, root, wants, {
      number,
      device: reading?.device.devpath,
      devname: reading?.devname,
      names: existing(root, candidates, number),
    });
  }
  giveUpLinks(nodes, new Set(again.keys()));
  return { devices, nodes, misfits: inventory.misfits, inUse };
}

/** A link leads to one node: those that were just looked at have it, and others no longer (two sticks with one serial). */
function giveUpLinks(nodes: Map<DeviceNumber, DevNode>, seen: ReadonlySet<DeviceNumber>): void {
  const taken = new Set([...seen].flatMap((number) => nodes.get(number)?.links ?? []));
  if (taken.size === 0) return;
  for (const [number, node] of nodes)
    if (!seen.has(number) && node.links.some((link) => taken.has(link)))
      nodes.set(number, { ...node, links: node.links.filter((link) => !taken.has(link)) });
}

function addNode(nodes: Map<DeviceNumber, DevNode>, root: string, { globs }: Wants, parts: NodeParts): void {
  const node = nodeFrom(root, globs, parts);
  if (node !== undefined) nodes.set(node.number, node);
}

/** Removes devices that were there for what was below them, when that has gone. */
function prune(devices: Map<string, SysDevice>): void {
  const children = new Map<string, number>();
  for (const { parent } of devices.values())
    if (parent !== undefined) children.set(parent, (children.get(parent) ?? 0) + 1);
  for (const device of [...devices.values()])
    for (let at: SysDevice | undefined = device; at !== undefined && !isWanted(at) && !children.get(at.devpath);) {
      devices.delete(at.devpath);
      const above: SysDevice | undefined = at.parent === undefined ? undefined : devices.get(at.parent);
      if (above !== undefined) children.set(above.devpath, (children.get(above.devpath) ?? 1) - 1);
      at = above;
    }
}

function blocksDiffer(before: ReadonlyMap<string, SysDevice>, after: ReadonlyMap<string, SysDevice>): boolean {
  const blocks = (devices: ReadonlyMap<string, SysDevice>): Set<string> =>
    new Set(
      [...devices.values()]
        .filter(({ subsystem }) => subsystem === 'block')
        .map(({ devpath, attributes }) => `${devpath} ${attributes['loop/backing_file'] ?? ''}`),
    );
  return blocks(before).symmetricDifference(blocks(after)).size > 0;
}

function ownersOf(devices: ReadonlyMap<string, SysDevice>): ReadonlyMap<DeviceNumber, string> {
  return new Map(
    [...devices.values()].flatMap(({ number, devpath }): [DeviceNumber, string][] =>
      number === undefined ? [] : [[number, devpath]],
    ),
  );
}

/** Whether a path is one of the places or below one. */
function isBelow(devpath: string, places: ReadonlySet<string>): boolean {
  for (let at = devpath; at.length > 1; at = posix.dirname(at)) if (places.has(at)) return true;
  return false;
}

function nameOf(path: string): string {
  return path.slice('/dev/'.length);
}
