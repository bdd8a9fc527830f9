/** What is the same in two inventories: nobody is told of a change that is none. */
import type { DevNode, Inventory, SysDevice } from './inventory.ts';

/**
 * The later inventory, with the earlier one's objects where they are equal, so that readers can compare by identity; the
 * earlier one itself when all is.
 */
export function keepEqual(before: Inventory, after: Inventory): Inventory {
  const devices = keepEntries(before.devices, after.devices, sameDevice);
  const nodes = keepEntries(before.nodes, after.nodes, sameNode);
  const inUse = keepEntries(before.inUse, after.inUse, (one, other) => one === other);
  const misfits = sameMisfits(before.misfits, after.misfits) ? before.misfits : after.misfits;
  const same =
    devices === before.devices && nodes === before.nodes && inUse === before.inUse && misfits === before.misfits;
  return same ? before : { devices, nodes, misfits, inUse };
}

function keepEntries<K, V>(
  before: ReadonlyMap<K, V>,
  after: ReadonlyMap<K, V>,
  same: (one: V, other: V) => boolean,
): ReadonlyMap<K, V> {
  let changed = before.size !== after.size;
  const kept = new Map<K, V>();
  for (const [key, value] of after) {
    const old = before.get(key);
    const equal = old !== undefined && (old === value || same(old, value));
    kept.set(key, equal ? old : value);
    changed ||= !equal;
  }
  return changed ? kept : before;
}

function sameDevice(one: SysDevice, other: SysDevice): boolean {
  return (
    one.devpath === other.devpath &&
    one.name === other.name &&
    one.subsystem === other.subsystem &&
    one.devtype === other.devtype &&
    one.driver === other.driver &&
    one.modalias === other.modalias &&
    one.number === other.number &&
    one.parent === other.parent &&
    one.numaNode === other.numaNode &&
    one.iommuGroup === other.iommuGroup &&
    one.physicalFunction === other.physicalFunction &&
    sameTexts(one.attributes, other.attributes) &&
    sameTexts(one.udev, other.udev)
  );
}

/** Whether two sets of named texts are equal. */
export function sameTexts(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && one[name] === other[name])
  );
}

function sameNode(one: DevNode, other: DevNode): boolean {
  return (
    one.number === other.number &&
    one.path === other.path &&
    one.device === other.device &&
    sameList(one.links, other.links)
  );
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

function sameMisfits(one: Inventory['misfits'], other: Inventory['misfits']): boolean {
  const texts = (misfits: Inventory['misfits']): string[] => misfits.map(({ path, reason }) => `${path} ${reason}`);
  return sameList(texts(one), texts(other));
}
