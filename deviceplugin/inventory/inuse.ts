/** Disks that the node itself uses. Giving one to a pod would destroy what is on it. */
import { readFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseMountInfo } from '../../linux/mountinfo.ts';
import type { MountEntry } from '../../linux/mountinfo.ts';
import { lineage } from './inventory.ts';
import type { DeviceNumber, DevNode, SysDevice } from './inventory.ts';
import { leadsTo } from './paths.ts';
import { throwExhaustion, unlessGone } from './patience.ts';
import type { InventoryRoots } from './wants.ts';

/** What says that block devices are in use. */
export interface UseEvidence {
  readonly mounts: readonly Pick<MountEntry, 'device' | 'mountPoint' | 'source'>[];
  /** Paths that are swapped to. */
  readonly swaps: readonly string[];
  /** By `devpath`, names of the block devices that are built on it: `dm-0`. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
  /** Names of block devices that are part of a btrfs: of several devices only one is named by the mount. */
  readonly btrfs: ReadonlySet<string>;
  /** Number of the block device that a path below /dev leads to. */
  readonly numberAt: (path: string) => DeviceNumber | undefined;
}

/** By number, what each is used for; also those that have a used partition, and other nodes of the same disks. */
export function usesOf(devices: ReadonlyMap<string, SysDevice>, evidence: UseEvidence): Map<DeviceNumber, string> {
  const uses = new Map<DeviceNumber, string>();
  const note = (number: DeviceNumber | undefined, use: string): void => {
    if (number !== undefined && !uses.has(number)) uses.set(number, use);
  };
  for (const { device, mountPoint, source } of evidence.mounts) {
    // A filesystem of several devices has a number of its own (0:…); its source is one of them.
    const number = device.startsWith('0:') ? evidence.numberAt(source) : `b${device}`;
    note(number, `mounted at ${mountPoint}`);
  }
  for (const path of evidence.swaps) note(evidence.numberAt(path), 'swap');
  const blocks = [...devices.values()].filter(({ subsystem }) => subsystem === 'block');
  for (const { devpath, name, number, attributes } of blocks) {
    const [holder] = evidence.holders.get(devpath) ?? [];
    if (holder !== undefined) note(number, `part of /dev/${holder}`);
    if (evidence.btrfs.has(name)) note(number, 'part of a btrfs filesystem');
    // A loop device without a mount may be somebody's volume.
    if (attributes['loop/backing_file'] !== undefined) note(number, 'attached to a file');
  }
  for (const { parent, number, name } of blocks) {
    const use = number === undefined ? undefined : uses.get(number);
    const whole = parent === undefined ? undefined : devices.get(parent);
    if (use !== undefined && whole?.subsystem === 'block') note(whole.number, `holds /dev/${name}, which is ${use}`);
  }
  noteOtherWays(devices, uses, note);
  return uses;
}

/** What has a disk: the SCSI unit, which has it as `sg0` and in /dev/bsg, too, or the NVMe controller with its `nvme0` and `ng0n1`. */
const hosts = new Set(['scsi', 'nvme', 'nvme-subsystem']);

/** A disk can be overwritten by its other nodes as well: what is in use is not only its block device. */
function noteOtherWays(
  devices: ReadonlyMap<string, SysDevice>,
  uses: ReadonlyMap<DeviceNumber, string>,
  note: (number: DeviceNumber | undefined, use: string) => void,
): void {
  const used = new Map<string, string>();
  for (const { devpath, name, number, subsystem } of devices.values()) {
    const use = number === undefined ? undefined : uses.get(number);
    if (use === undefined || subsystem !== 'block') continue;
    const line = lineage({ devices }, devpath);
    const sentence = `leads to /dev/${name}: ${use}`;
    note(line.find(({ devtype }) => devtype === 'usb_device')?.number, sentence);
    const host = line.find((device) => hosts.has(device.subsystem));
    if (host !== undefined && !used.has(host.devpath)) used.set(host.devpath, sentence);
  }
  if (used.size === 0) return;
  for (const { devpath, number, subsystem } of devices.values()) {
    if (number === undefined || subsystem === 'block') continue;
    const host = lineage({ devices }, devpath).find((device) => hosts.has(device.subsystem));
    const use = host && used.get(host.devpath);
    if (use !== undefined) note(number, use);
  }
}

/** Reads what the block devices among these are used for. Numbers that no device has (of `/proc`, say) are left out. */
export async function readUses(
  root: string,
  { sysRoot, procRoot }: InventoryRoots,
  devices: ReadonlyMap<string, SysDevice>,
  nodes: ReadonlyMap<DeviceNumber, DevNode>,
): Promise<Map<DeviceNumber, string>> {
  const blocks = [...devices.values()].filter(({ subsystem }) => subsystem === 'block');
  const listOf = (folder: string): readonly string[] => unlessGone(() => readdirSync(join(sysRoot, folder))) ?? [];
  const uses = usesOf(devices, {
    mounts: parseMountInfo((await textOf(procRoot, '1/mountinfo')) ?? (await textOf(procRoot, 'self/mountinfo')) ?? ''),
    swaps: parseSwaps((await textOf(procRoot, 'swaps')) ?? ''),
    holders: new Map(blocks.map(({ devpath }) => [devpath, [...listOf(`${devpath}/holders`)].sort()])),
    btrfs: new Set(listOf('fs/btrfs').flatMap((filesystem) => listOf(`fs/btrfs/${filesystem}/devices`))),
    numberAt: (path) => {
      if (!path.startsWith('/dev/')) return undefined;
      const found = leadsTo(root, path.slice('/dev/'.length));
      return found !== undefined && 'number' in found ? found.number : undefined;
    },
  });
  const known = new Set<DeviceNumber | undefined>([...blocks.map(({ number }) => number), ...nodes.keys()]);
  return new Map([...uses].filter(([number]) => known.has(number)));
}

/** Paths of /proc/swaps (proc_swaps(5)): the first column, below a line of headings. */
export function parseSwaps(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s/, 1)[0] ?? '')
    .filter((path) => path.startsWith('/'))
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))));
}

async function textOf(procRoot: string, name: string): Promise<string | undefined> {
  return await readFile(join(procRoot, name), 'utf8').catch((thrown: unknown) => {
    throwExhaustion(thrown);
    return undefined;
  });
}
