/** A device as a test describes it: what the kernel shows of it in sysfs and below /dev, and what udev makes of it. */

export interface RecordedNode {
  readonly kind: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** The kernel's DEVNAME, below /dev: `ttyUSB0`, `bus/usb/001/005`. */
  readonly name: string;
  /** Links that udev makes to it, below /dev: `serial/by-id/…`. */
  readonly links?: readonly string[];
}

export interface RecordedDevice {
  /** Its folder below /sys. */
  readonly devpath: string;
  /** The folder of its subsystem below /sys: `bus/usb`, `class/tty`. */
  readonly subsystem: `${'bus' | 'class'}/${string}`;
  readonly driver?: string | undefined;
  readonly node?: RecordedNode | undefined;
  /** Lines of its `uevent` file besides those of its node and driver: DEVTYPE, MODALIAS. */
  readonly uevent?: Readonly<Record<string, string>>;
  /** Files in its folder, without the line's end: `idVendor`, `power/runtime_status`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Links in its folder, by name, with the place below /sys that each leads to. */
  readonly links?: Readonly<Record<string, string>>;
  /** Properties of the udev database. Without any, and without links of its node, udev knows nothing of it. */
  readonly udev?: Readonly<Record<string, string>>;
}

/** The last part of a devpath. */
export function nameOf({ devpath }: RecordedDevice): string {
  return devpath.slice(devpath.lastIndexOf('/') + 1);
}

/** What the kernel writes into the `uevent` file of a device. */
export function ueventOf({ node, driver, uevent }: RecordedDevice): Readonly<Record<string, string>> {
  return {
    ...(node === undefined ? {} : { MAJOR: `${node.major}`, MINOR: `${node.minor}`, DEVNAME: node.name }),
    ...(driver === undefined ? {} : { DRIVER: driver }),
    ...uevent,
  };
}
