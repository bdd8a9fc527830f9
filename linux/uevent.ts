/** A uevent: what the kernel says when a device comes, goes or changes (lib/kobject_uevent.c). Only the text; no socket. */

export interface Uevent {
  /** `add`, `remove`, `change`, `move`, `online`, `offline`, `bind`, `unbind`. */
  readonly action: string;
  /** Place of the device below the root of sysfs: `/devices/virtual/misc/fuse`. Never has a `..`. */
  readonly devpath: string;
  readonly subsystem: string;
  /** All variables, also those above: MAJOR, MINOR, DEVNAME, DEVTYPE, DRIVER, MODALIAS, SEQNUM, of `move` DEVPATH_OLD. */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * Parses a message of the kernel: `add@/devices/…` and then `KEY=value`, each ended by NUL. Undefined for anything else:
 * messages of udevd, which begin with `libudev`, and ones that were cut.
 */
export function parseUevent(message: Buffer): Uevent | undefined {
  if (message.at(-1) !== 0) return undefined;
  const [header = '', ...variables] = message.toString('utf8', 0, message.length - 1).split('\0');
  const at = header.indexOf('@');
  if (at <= 0) return undefined;
  const properties = Object.fromEntries(
    variables.flatMap((variable): [string, string][] => {
      const equals = variable.indexOf('=');
      return equals <= 0 ? [] : [[variable.slice(0, equals), variable.slice(equals + 1)]];
    }),
  );
  const { ACTION: action, DEVPATH: devpath, SUBSYSTEM: subsystem } = properties;
  // The kernel says both twice. Where they differ it is not the kernel that speaks.
  if (action !== header.slice(0, at) || devpath !== header.slice(at + 1) || subsystem === undefined) return undefined;
  // It becomes a path below the root of sysfs.
  if (!devpath.startsWith('/') || devpath.split('/').includes('..')) return undefined;
  return { action, devpath, subsystem, properties };
}
