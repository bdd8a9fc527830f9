/** Finds the loop device a file is attached to: by the file's inode, because names of files change and lie. */
import { constants, existsSync, readFileSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { closeFd, openFd } from '../kit/descriptors.ts';
import { errnoOf } from '../kit/errors.ts';
import { check, libc, libcAsync, SystemCallError } from './libc.ts';

/** An attached loop device. */
export interface LoopDevice {
  readonly number: number;
  /** `/dev/loopN`. */
  readonly path: string;
  /** `major:minor`, as mounts are listed with. The minor is N only where the module's `max_part` is 0. */
  readonly device: string;
  /** Whether the kernel reads and writes the file directly; it falls back to the page cache where the pool cannot. */
  readonly directIo: boolean;
  readonly readonly: boolean;
}

// linux/loop.h
const LOOP_GET_STATUS64 = 0x4c05;
export const LO_FLAGS_READ_ONLY = 1;
export const LO_FLAGS_DIRECT_IO = 16;
/** Offsets in struct loop_info64. */
export const loopInfo = { device: 0, inode: 8, flags: 52, fileName: 56, size: 232 } as const;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');
const makeNode = libc('int mknod(const char *path, unsigned int mode, unsigned long device)');

/** `major:minor` of /dev/loopN. */
export function deviceOf(number: number): string {
  return readFileSync(`/sys/block/loop${number}/dev`, 'utf8').trim();
}

/** Opens /dev/loopN and returns its number, making the node where /dev is no devtmpfs (a container without the host's /dev). */
export async function openDevice(number: number, flags: number): Promise<number> {
  const path = `/dev/loop${number}`;
  try {
    return await openFd(path, flags);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const [major = 0, minor = 0] = deviceOf(number).split(':').map(Number);
    const device = (major << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
    check(makeNode(path, constants.S_IFBLK | 0o660, device), 'mknod', path);
    return await openFd(path, flags);
  }
}

/** What a device is attached to, or undefined when it is not attached or being detached (ENXIO). */
async function statusOf(number: number): Promise<{ device: bigint; inode: bigint; flags: number } | undefined> {
  const fd = await openDevice(number, constants.O_RDONLY).catch((error: unknown) => {
    if (errnoOf(error) === 'ENXIO') return undefined;
    throw error;
  });
  if (fd === undefined) return undefined;
  try {
    const status = Buffer.alloc(loopInfo.size);
    const { result, errno } = await request(fd, LOOP_GET_STATUS64, status);
    if (result < 0) {
      const failure = new SystemCallError('LOOP_GET_STATUS64', errno, `/dev/loop${number}`);
      if (failure.code === 'ENXIO') return undefined;
      throw failure;
    }
    return {
      device: status.readBigUInt64LE(loopInfo.device),
      inode: status.readBigUInt64LE(loopInfo.inode),
      flags: status.readUInt32LE(loopInfo.flags),
    };
  } finally {
    // Of whoever's device: what its last user has not written back is written now.
    await closeFd(fd);
  }
}

/** Whether the device is attached to any file. */
export function isAttached(number: number): boolean {
  return existsSync(`/sys/block/loop${number}/loop`);
}

/** Whether the device is attached to a file that had this base name when it was attached or renamed. */
function isNamed(number: number, name: string): boolean {
  try {
    // Synchronously: the kernel answers from memory in microseconds, a way through the thread pool takes ten times that.
    const backing = readFileSync(`/sys/block/loop${number}/loop/backing_file`, 'utf8');
    // The text is a path of the reader's namespace, if it can be reached from there at all: only its end is compared, to
    // open no stranger's device; the inode decides.
    return basename(backing.trimEnd().replace(/ \(deleted\)$/, '')) === name;
  } catch {
    return false;
  }
}

/** Loop devices of the machine, attached or not. */
export async function allNumbers(): Promise<number[]> {
  const devices = await readdir('/sys/block');
  return devices.flatMap((device) => /^loop(\d+)$/.exec(device)?.[1] ?? []).map(Number);
}

/**
 * Those that have a size, and so every one that is attached: one read, where asking each of them about its file takes one of
 * each, and whoever asks for a file that is attached nowhere asks all of them.
 */
function attachedNumbers(): number[] {
  const lines = readFileSync('/proc/partitions', 'utf8').split('\n');
  return lines.flatMap((line) => / loop(\d+)$/.exec(line)?.[1] ?? []).map(Number);
}

/** An attachment that the kernel has confirmed. */
interface Known {
  readonly device: LoopDevice;
  readonly dev: bigint;
  readonly ino: bigint;
  /** Of the device: another for each attaching and detaching. */
  readonly sequence: string;
}

/** By path. Attachments are looked at many times in a volume's life: the kernel need not be asked for everything each time. */
const known = new Map<string, Known>();

function attribute(number: number, name: string): string {
  return readFileSync(`/sys/block/loop${number}/${name}`, 'utf8').trim();
}

/** The number of the device's present attachment; undefined before Linux 5.15, which does not count them. */
function sequenceOf(number: number): string | undefined {
  try {
    return attribute(number, 'diskseq');
  } catch {
    return undefined;
  }
}

/** The file by its inode. */
export type Inode = Pick<Known, 'dev' | 'ino'>;

/** Remembers what was found, with a sequence that was read before the kernel confirmed it. */
function remember(file: string, { dev, ino }: Inode, device: LoopDevice, sequence: string | undefined): void {
  if (sequence === undefined) known.delete(file);
  else known.set(file, { device, dev, ino, sequence });
}

/** What this process has just attached, remembered. The caller keeps the device open, so that it still is that attachment. */
export function attachedDevice(file: string, inode: Inode, number: number): LoopDevice {
  const device = {
    number,
    path: `/dev/loop${number}`,
    device: deviceOf(number),
    directIo: attribute(number, 'loop/dio') === '1',
    readonly: attribute(number, 'ro') === '1',
  };
  remember(file, inode, device, sequenceOf(number));
  return device;
}

/** What was known of a file that is attached no more. */
export function forget(file: string): void {
  known.delete(file);
}

/** The attachment as it was confirmed earlier, if the device has had no other since: then there is no need to open and ask it. */
function stillKnown(file: string): Known | undefined {
  const last = known.get(file);
  try {
    if (last === undefined || sequenceOf(last.device.number) !== last.sequence) return undefined;
    // It can be lost later, when the pool's filesystem can no longer do it.
    return { ...last, device: { ...last.device, directIo: attribute(last.device.number, 'loop/dio') === '1' } };
  } catch {
    // It is being detached at this moment.
    return undefined;
  }
}

/** See `LoopDevices.find`. */
export async function find(file: string): Promise<LoopDevice | undefined> {
  const last = stillKnown(file);
  // The kernel has the file open: it answers from memory, and a way through the thread pool takes longer than all the rest.
  const now = last === undefined ? undefined : statSync(file, { bigint: true, throwIfNoEntry: false });
  if (last !== undefined && now?.dev === last.dev && now.ino === last.ino) return last.device;
  return await search(file, await stat(file, { bigint: true }));
}

/** The same for one that is open. */
export async function deviceOfInode(file: string, inode: Inode): Promise<LoopDevice | undefined> {
  const last = stillKnown(file);
  return last?.dev === inode.dev && last.ino === inode.ino ? last.device : await search(file, inode);
}

/** Among all devices: the kernel offers no look-up by file. */
async function search(file: string, { dev, ino }: Inode): Promise<LoopDevice | undefined> {
  known.delete(file);
  const name = basename(file);
  // Those that are known as another file's are not asked again: with hundreds of volumes that took as long as mounting one.
  const others = new Set<number>();
  for (const other of known.values()) if (other.ino !== ino || other.dev !== dev) others.add(other.device.number);
  for (const number of attachedNumbers()) {
    if (others.has(number) || !isNamed(number, name)) continue;
    const sequence = sequenceOf(number);
    const status = await statusOf(number);
    if (status?.device !== dev || status.inode !== ino) continue;
    const device = {
      number,
      path: `/dev/loop${number}`,
      device: deviceOf(number),
      directIo: (status.flags & LO_FLAGS_DIRECT_IO) !== 0,
      readonly: (status.flags & LO_FLAGS_READ_ONLY) !== 0,
    };
    remember(file, { dev, ino }, device, sequence);
    return device;
  }
  return undefined;
}
