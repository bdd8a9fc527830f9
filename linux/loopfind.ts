/** Finds the loop device a file is attached to: by the file's inode, because names of files change and lie. */
import { constants, readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
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

/** Opens /dev/loopN, making the node where /dev is no devtmpfs (a container without the host's /dev). */
export async function openDevice(number: number, flags: number): Promise<FileHandle> {
  const path = `/dev/loop${number}`;
  try {
    return await open(path, flags);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const [major = 0, minor = 0] = deviceOf(number).split(':').map(Number);
    const device = (major << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
    check(makeNode(path, constants.S_IFBLK | 0o660, device), 'mknod', path);
    return await open(path, flags);
  }
}

/** What a device is attached to, or undefined when it is not attached (ENXIO) or has just gone. */
async function statusOf(number: number): Promise<{ device: bigint; inode: bigint; flags: number } | undefined> {
  const handle = await openDevice(number, constants.O_RDONLY);
  try {
    const status = Buffer.alloc(loopInfo.size);
    const { result, errno } = await request(handle.fd, LOOP_GET_STATUS64, status);
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
    await handle.close();
  }
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

/** Loop devices of the machine, attached or not. The kernel offers no look-up by file. */
export async function allNumbers(): Promise<number[]> {
  const devices = await readdir('/sys/block');
  return devices.flatMap((device) => /^loop(\d+)$/.exec(device)?.[1] ?? []).map(Number);
}

/** Where a file was found last. Figures are asked for every minute and volume; the whole list need not be read each time. */
const lastNumbers = new Map<string, number>();

/** See `LoopDevices.find`. */
export async function find(file: string): Promise<LoopDevice | undefined> {
  const { dev, ino } = await stat(file, { bigint: true });
  const last = lastNumbers.get(file);
  const wanted = { name: basename(file), dev, ino };
  const found =
    (last === undefined ? undefined : await match([last], wanted)) ?? (await match(await allNumbers(), wanted));
  if (found === undefined) lastNumbers.delete(file);
  else lastNumbers.set(file, found.number);
  return found;
}

/** The first of the devices that is attached to the file. */
async function match(
  numbers: readonly number[],
  { name, dev, ino }: { readonly name: string; readonly dev: bigint; readonly ino: bigint },
): Promise<LoopDevice | undefined> {
  for (const number of numbers) {
    if (!isNamed(number, name)) continue;
    const status = await statusOf(number);
    if (status?.device !== dev || status.inode !== ino) continue;
    return {
      number,
      path: `/dev/loop${number}`,
      device: deviceOf(number),
      directIo: (status.flags & LO_FLAGS_DIRECT_IO) !== 0,
      readonly: (status.flags & LO_FLAGS_READ_ONLY) !== 0,
    };
  }
  return undefined;
}
