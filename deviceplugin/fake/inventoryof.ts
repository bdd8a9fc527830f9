/** Recorded devices as the inventory that a reader makes of them, without files: for tests of what decides on it. */
import type { DevNode, Inventory, SysDevice } from '../inventory/inventory.ts';
import { nameOf } from './recordeddevice.ts';
import type { RecordedDevice } from './recordeddevice.ts';

/** `more` are nodes that sysfs does not know, misfits and uses. */
export function inventoryOf(
  recorded: readonly RecordedDevice[],
  more: { readonly nodes?: readonly DevNode[] } & Partial<Pick<Inventory, 'misfits' | 'inUse'>> = {},
): Inventory {
  const byDevpath = new Map(recorded.map((device) => [device.devpath, device]));
  const devices = [...byDevpath.values()].map((device) => sysDevice(device, byDevpath));
  const nodes = [...byDevpath.values()].flatMap((device) => devNode(device) ?? []);
  return {
    devices: new Map(devices.map((device) => [device.devpath, device])),
    nodes: new Map([...nodes, ...(more.nodes ?? [])].map((node) => [node.number, node])),
    misfits: more.misfits ?? [],
    inUse: more.inUse ?? new Map(),
  };
}

function sysDevice(device: RecordedDevice, all: ReadonlyMap<string, RecordedDevice>): SysDevice {
  const { devpath, subsystem, uevent = {}, attributes = {}, links = {}, udev = {} } = device;
  const numaNode = Number(attributes['numa_node'] ?? -1);
  const last = (path: string | undefined): string | undefined => path?.slice(path.lastIndexOf('/') + 1);
  return {
    devpath,
    name: nameOf(device),
    subsystem: last(subsystem) ?? '',
    devtype: uevent['DEVTYPE'],
    driver: device.driver,
    modalias: uevent['MODALIAS'],
    number: numberOf(device),
    parent: parentOf(devpath, all),
    numaNode: numaNode < 0 ? undefined : numaNode,
    iommuGroup: last(links['iommu_group']),
    physicalFunction: links['physfn'],
    attributes,
    udev,
  };
}

function parentOf(devpath: string, all: ReadonlyMap<string, RecordedDevice>): string | undefined {
  for (let at = devpath; at.includes('/');) {
    at = at.slice(0, at.lastIndexOf('/'));
    if (all.has(at)) return at;
  }
  return undefined;
}

function devNode(device: RecordedDevice): DevNode | undefined {
  const number = numberOf(device);
  if (device.node === undefined || number === undefined) return undefined;
  const links = (device.node.links ?? []).map((link) => `/dev/${link}`).sort();
  return { number, path: `/dev/${device.node.name}`, links, device: device.devpath };
}

function numberOf({ node }: RecordedDevice): string | undefined {
  return node && `${node.kind}${node.major}:${node.minor}`;
}
