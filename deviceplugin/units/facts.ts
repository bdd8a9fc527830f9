/** What rules ask of the devices of one inventory, gathered once: whose USB device and PCI function a node is, and where it lies. */
import { own } from './own.ts';
import { comparePaths } from './naturalorder.ts';
import type { DevNode, DeviceNumber, Inventory, SysDevice } from '../inventory/inventory.ts';

/** A USB device, with the numbers by which it is looked for. */
export interface UsbFacts {
  readonly device: SysDevice;
  readonly vendor: string | undefined;
  readonly product: string | undefined;
  readonly serial: string | undefined;
}

/** A PCI function, with the numbers by which it is looked for; without the `0x` that the kernel writes. */
export interface PciFacts {
  readonly device: SysDevice;
  readonly vendor: string | undefined;
  readonly product: string | undefined;
  readonly class: string | undefined;
}

/** A device with what holds for it by those above it. */
export interface DeviceFacts {
  readonly device: SysDevice;
  readonly above: DeviceFacts | undefined;
  /** The nearest of itself and those above it. */
  readonly usb: UsbFacts | undefined;
  readonly usbInterface: SysDevice | undefined;
  readonly pci: PciFacts | undefined;
  /** Of itself, or of the nearest above that has one. */
  readonly driver: string | undefined;
  readonly numaNode: number | undefined;
  readonly iommuGroup: string | undefined;
  /** Names of the network interfaces of its USB device, else of its PCI function. */
  readonly interfaces: readonly string[];
}

/** A device node with its device, where sysfs knows it. */
export interface NodeFacts {
  readonly node: DevNode;
  readonly device: DeviceFacts | undefined;
}

/** An inventory as the matcher looks at it. */
export interface Facts {
  readonly inventory: Inventory;
  readonly nodes: readonly NodeFacts[];
  readonly byNumber: ReadonlyMap<DeviceNumber, NodeFacts>;
  /** By every path that leads to a node, links too. */
  readonly byPath: ReadonlyMap<string, NodeFacts>;
  readonly bySubsystem: ReadonlyMap<string, readonly NodeFacts[]>;
  /** Nodes by the `devpath` of their USB device, of their PCI function, and by their IOMMU group; in natural order. */
  readonly byUsbDevice: ReadonlyMap<string, readonly NodeFacts[]>;
  readonly byPciFunction: ReadonlyMap<string, readonly NodeFacts[]>;
  readonly byIommuGroup: ReadonlyMap<string, readonly NodeFacts[]>;
  /** Devices by the IOMMU group that is their own. */
  readonly iommuGroups: ReadonlyMap<string, readonly DeviceFacts[]>;
  readonly deviceFacts: (devpath: string) => DeviceFacts | undefined;
}

/** The folder of sysfs in which the devices of /dev/vfio/<group> stand: no bus leads to them, only the group's number does. */
const vfioFolder = '/devices/virtual/vfio/';

export function gatherFacts(inventory: Inventory): Facts {
  const known = new Map<string, Derived | undefined>();
  const deviceFacts = (devpath: string): Derived | undefined => {
    const earlier = known.get(devpath);
    if (earlier !== undefined || known.has(devpath)) return earlier;
    const device = inventory.devices.get(devpath);
    // Said beforehand, so that a parent that leads back to itself ends the line.
    known.set(devpath, undefined);
    const facts = device && derive(device, device.parent === undefined ? undefined : deviceFacts(device.parent));
    known.set(devpath, facts);
    return facts;
  };

  const nodes: NodeFacts[] = [];
  const byNumber = new Map<DeviceNumber, NodeFacts>();
  const byPath = new Map<string, NodeFacts>();
  const bySubsystem = new Map<string, NodeFacts[]>();
  const byUsbDevice = new Map<string, NodeFacts[]>();
  const byPciFunction = new Map<string, NodeFacts[]>();
  const byIommuGroup = new Map<string, NodeFacts[]>();
  for (const node of inventory.nodes.values()) {
    const device = node.device === undefined ? undefined : deviceFacts(node.device);
    const facts: NodeFacts = { node, device };
    nodes.push(facts);
    byNumber.set(node.number, facts);
    for (const link of node.links) byPath.set(link, facts);
    if (device === undefined) continue;
    add(bySubsystem, device.device.subsystem, facts);
    add(byUsbDevice, device.usb?.device.devpath, facts);
    add(byPciFunction, device.pci?.device.devpath, facts);
    add(byIommuGroup, device.iommuGroup ?? vfioGroupOf(device.device), facts);
  }
  // Last: where a link of one node has the name of another, the node itself is meant.
  for (const facts of nodes) byPath.set(facts.node.path, facts);
  for (const index of [byUsbDevice, byPciFunction, byIommuGroup])
    for (const list of index.values()) list.sort((a, b) => comparePaths(a.node.path, b.node.path));

  const iommuGroups = new Map<string, DeviceFacts[]>();
  for (const { devpath, subsystem, iommuGroup, name } of inventory.devices.values()) {
    if (subsystem !== 'net' && iommuGroup === undefined) continue;
    const facts = deviceFacts(devpath);
    if (facts === undefined) continue;
    if (subsystem === 'net' && anchorOf(facts) !== undefined) facts.interfaces.push(name);
    add(iommuGroups, iommuGroup, facts);
  }
  for (const list of iommuGroups.values()) list.sort((a, b) => comparePaths(a.device.devpath, b.device.devpath));
  return {
    inventory,
    nodes,
    byNumber,
    byPath,
    bySubsystem,
    byUsbDevice,
    byPciFunction,
    byIommuGroup,
    iommuGroups,
    deviceFacts,
  };
}

/** The USB device, else the PCI function, that a device belongs to. */
export function anchorOf({ usb, pci }: DeviceFacts): SysDevice | undefined {
  return usb?.device ?? pci?.device;
}

/** A device and all above it, nearest first. */
export function lineOf(facts: DeviceFacts | undefined): readonly DeviceFacts[] {
  const line: DeviceFacts[] = [];
  for (let at = facts; at !== undefined; at = at.above) line.push(at);
  return line;
}

/** Whether a node is that of a whole USB device, which drivers have as tty, video and so on already. */
export function isRawUsb({ device }: Pick<NodeFacts, 'device'>): boolean {
  return device?.device.subsystem === 'usb';
}

/** A device whose list of network interfaces is still to be filled. */
interface Derived extends DeviceFacts {
  readonly interfaces: string[];
}

/** Network interfaces are children of their hardware, so its list is shared by all below it and filled later. */
function derive(device: SysDevice, above: Derived | undefined): Derived {
  const usb = device.devtype === 'usb_device' ? usbFacts(device) : undefined;
  const pci = device.subsystem === 'pci' ? pciFacts(device) : undefined;
  return {
    device,
    above,
    usb: usb ?? above?.usb,
    usbInterface: device.devtype === 'usb_interface' ? device : usb === undefined ? above?.usbInterface : undefined,
    pci: pci ?? above?.pci,
    driver: device.driver ?? above?.driver,
    numaNode: device.numaNode ?? above?.numaNode,
    iommuGroup: device.iommuGroup ?? above?.iommuGroup,
    interfaces: usb === undefined && pci === undefined ? (above?.interfaces ?? []) : [],
  };
}

function usbFacts(device: SysDevice): UsbFacts {
  const [vendor, product, serial] = ['idVendor', 'idProduct', 'serial'].map((name) => own(device.attributes, name));
  return { device, vendor, product, serial };
}

function pciFacts(device: SysDevice): PciFacts {
  const number = (name: string): string | undefined => own(device.attributes, name)?.replace(/^0x/, '');
  return { device, vendor: number('vendor'), product: number('device'), class: number('class') };
}

function vfioGroupOf({ devpath }: SysDevice): string | undefined {
  return devpath.startsWith(vfioFolder) ? devpath.slice(vfioFolder.length) : undefined;
}

function add<T>(index: Map<string, T[]>, key: string | undefined, value: T): void {
  if (key === undefined) return;
  const list = index.get(key);
  if (list === undefined) index.set(key, [value]);
  else list.push(value);
}
