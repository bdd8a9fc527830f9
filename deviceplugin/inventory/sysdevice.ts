/** Reads one device from its folder in sysfs and its entry in the udev database. */
import { readdirSync, readlinkSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { readAttribute } from './attributefile.ts';
import type { DeviceNumber, SysDevice } from './inventory.ts';
import { unlessGone } from './patience.ts';
import { parseProperties } from './properties.ts';
import { noEntry, readUdevEntry, udevFileOf } from './udevdatabase.ts';
import type { InventoryRoots, Wants } from './wants.ts';

/** What sysfs and udev say of a device. */
export interface DeviceReading {
  readonly device: SysDevice;
  /** The kernel's name of its node below /dev. */
  readonly devname: string | undefined;
  /** Links below /dev that udev says it has made. */
  readonly links: readonly string[];
  readonly udevFile: string;
  /** Whether udev has done its part. */
  readonly initialized: boolean;
}

/** Attributes that everybody wants, by subsystem. */
const common: Readonly<Record<string, readonly string[]>> = {
  usb: [
    'idVendor',
    'idProduct',
    'serial',
    'manufacturer',
    'product',
    'busnum',
    'devnum',
    'devpath',
    'speed',
    'bDeviceClass',
    'bInterfaceClass',
    'bInterfaceSubClass',
    'bInterfaceProtocol',
    'bInterfaceNumber',
  ],
  pci: [
    'vendor',
    'device',
    'subsystem_vendor',
    'subsystem_device',
    'class',
    'revision',
    'sriov_numvfs',
    'sriov_totalvfs',
  ],
  video4linux: ['index', 'name'],
  input: ['name'],
  net: ['address'],
  nvme: ['serial', 'model'],
  'usb-serial': ['port_number'],
  scsi: ['wwid'],
  mmc: ['serial'],
  // No more of block: of a virtual disk, reading `serial` is a request to it, which waits in its queue.
  block: ['loop/backing_file'],
};

/** Place below the root of sysfs that a link in the folder `from` leads to: what links of sysfs say is relative and true. */
export function linkTarget(sysRoot: string, from: string, name: string): string | undefined {
  const target = unlessGone(() => readlinkSync(`${sysRoot}${from}/${name}`));
  return target === undefined ? undefined : posix.resolve(from, target);
}

/** Whether the folder is a device's: one with a subsystem. */
export function isDevice(sysRoot: string, devpath: string): boolean {
  return unlessGone(() => readlinkSync(`${sysRoot}${devpath}/subsystem`)) !== undefined;
}

/** Reads a device. Undefined when the folder has gone, or is no device's. `parent` is told by whoever knows what is above. */
export async function readDevice(
  { sysRoot, udevRoot }: InventoryRoots,
  wants: Wants,
  devpath: string,
  parent: string | undefined,
): Promise<DeviceReading | undefined> {
  const folder = join(sysRoot, devpath);
  // What is not in the list need not be tried: most devices have few of the files.
  const names = new Set(unlessGone(() => readdirSync(folder)));
  const nameOfLink = (name: string): string | undefined => {
    const target = names.has(name) ? linkTarget(sysRoot, devpath, name) : undefined;
    return target === undefined ? undefined : basename(target);
  };
  const subsystem = nameOfLink('subsystem');
  if (subsystem === undefined) return undefined;
  const wanted = [...new Set([...(common[subsystem] ?? []), ...wants.attributes])].filter((name) =>
    names.has(name.split('/', 1)[0] ?? ''),
  );
  const valueOf = async (name: string): Promise<string | undefined> =>
    names.has(name) ? await readAttribute(join(folder, name)) : undefined;
  const [uevent, numa, ...values] = await Promise.all([
    valueOf('uevent'),
    valueOf('numa_node'),
    ...wanted.map((name) => readAttribute(join(folder, name))),
  ]);
  const properties = parseProperties(uevent?.split('\n') ?? []);
  const name = basename(devpath);
  const number = numberOf(subsystem, properties);
  const udevFile = udevFileOf({ number, subsystem, name, ifindex: properties.IFINDEX });
  const entry = readUdevEntry(udevRoot, udevFile) ?? noEntry;
  const device: SysDevice = {
    devpath,
    name,
    subsystem,
    devtype: properties.DEVTYPE,
    driver: nameOfLink('driver'),
    modalias: properties.MODALIAS,
    number,
    parent,
    numaNode: numa !== undefined && /^\d+$/.test(numa) ? Number(numa) : undefined,
    iommuGroup: nameOfLink('iommu_group'),
    physicalFunction: names.has('physfn') ? linkTarget(sysRoot, devpath, 'physfn') : undefined,
    attributes: Object.fromEntries(
      wanted.flatMap((attribute, index): [string, string][] => {
        const value = values[index];
        return value === undefined ? [] : [[attribute, value]];
      }),
    ),
    udev: entry.properties,
  };
  const devname = properties.DEVNAME?.split('/').includes('..') === false ? properties.DEVNAME : undefined;
  return { device, devname, links: entry.links, udevFile, initialized: entry.initialized };
}

function numberOf(subsystem: string, { MAJOR, MINOR }: Readonly<Record<string, string>>): DeviceNumber | undefined {
  if (MAJOR === undefined || MINOR === undefined || !/^\d+$/.test(MAJOR) || !/^\d+$/.test(MINOR)) return undefined;
  return `${subsystem === 'block' ? 'b' : 'c'}${MAJOR}:${MINOR}`;
}
