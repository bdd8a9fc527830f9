/** What the node has, as facts that cannot change under a reader: devices of sysfs with their parents, and device nodes. */

/** Kind and number of a device node: `c10:229`. Two paths with the same are the same device. */
export type DeviceNumber = string;

/** A device of the kernel: a directory of sysfs with a subsystem. Texts of devices are as the hardware gives them: hostile. */
export interface SysDevice {
  /** The kernel's DEVPATH, `/devices/pci0000:00/…/ttyUSB0`: its place below the root of sysfs, and unique. */
  readonly devpath: string;
  /** The kernel's name of it: the last part of `devpath`. */
  readonly name: string;
  readonly subsystem: string;
  /** The kernel's DEVTYPE where the subsystem has kinds of devices: `usb_device`, `usb_interface`, `partition`. */
  readonly devtype: string | undefined;
  readonly driver: string | undefined;
  readonly modalias: string | undefined;
  /** The device node of it, where it has one. */
  readonly number: DeviceNumber | undefined;
  /** `devpath` of the nearest directory above it that is a device, too. */
  readonly parent: string | undefined;
  /** Its own NUMA node; undefined where the kernel names none (-1). */
  readonly numaNode: number | undefined;
  readonly iommuGroup: string | undefined;
  /** Of an SR-IOV virtual function: `devpath` of the function it belongs to. */
  readonly physicalFunction: string | undefined;
  /** Values of attribute files without the line's end, cut at 4 KiB: those that every reader wants, and those that rules name. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Properties of the udev database; empty where there is none. */
  readonly udev: Readonly<Record<string, string>>;
}

/** A device node below /dev that a container could get. */
export interface DevNode {
  readonly number: DeviceNumber;
  /** Path on the host: the kernel's name of it, `/dev/ttyUSB0`, or where a pattern found it. */
  readonly path: string;
  /** Links below /dev that lead to it, sorted: `/dev/serial/by-id/…`. */
  readonly links: readonly string[];
  /** `devpath` of its device, where sysfs knows it. */
  readonly device: string | undefined;
}

/** Something below /dev that a pattern found and that cannot be offered. */
export interface Misfit {
  readonly path: string;
  readonly reason: string;
}

export interface Inventory {
  /** By `devpath`. */
  readonly devices: ReadonlyMap<string, SysDevice>;
  /** By number. Only nodes that are really there: what sysfs names and /dev does not have is no node. */
  readonly nodes: ReadonlyMap<DeviceNumber, DevNode>;
  readonly misfits: readonly Misfit[];
  /** Block devices that the node itself uses, by number, with what for: `mounted at /`, `swap`, `part of /dev/dm-0`. */
  readonly inUse: ReadonlyMap<DeviceNumber, string>;
}

/** A device and all above it, nearest first. */
export function lineage({ devices }: Pick<Inventory, 'devices'>, devpath: string | undefined): readonly SysDevice[] {
  const line: SysDevice[] = [];
  for (let at = devpath; at !== undefined;) {
    const device = devices.get(at);
    // A parent that vanished between two reads ends the line.
    if (device === undefined) break;
    line.push(device);
    at = device.parent;
  }
  return line;
}
