/** Loop devices: a regular file as a block device, with direct I/O and 4096-byte sectors. Found again by inode, not by name. */
import { constants, readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { pause } from '../kit/backoff.ts';
import { BerthError, errnoOf } from '../kit/errors.ts';
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

/** Loop devices of the whole machine: those of other files, users and nodes on this kernel are never opened or changed. */
export interface LoopDevices {
  /** The device the file is attached to, or undefined. Throws SystemCallError ENOENT when there is no such file. */
  find(file: string): Promise<LoopDevice | undefined>;
  /**
   * Attaches the file, or takes the device it is attached to already (left by a crash), with discard switched off: the
   * file keeps its space. Throws FAILED_PRECONDITION when it is attached the other way (read-only or not).
   */
  attach(file: string, options: { readonly readonly: boolean }): Promise<LoopDevice>;
  /** Detaches the file; nothing happens when it is not attached. Throws BUSY when a mount or a process keeps the device. */
  detach(file: string): Promise<void>;
}

// linux/loop.h
const LOOP_CLR_FD = 0x4c01;
const LOOP_GET_STATUS64 = 0x4c05;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_DIRECT_IO = 16;
/** Offsets in struct loop_info64; in struct loop_config it follows two 32-bit words (fd, block_size). */
const info = { device: 0, inode: 8, flags: 52, fileName: 56, size: 232 } as const;
const configSize = 8 + info.size + 64;
const sectorSize = 4096;

const control = libc('int ioctl(int fd, unsigned long request, long argument)');
const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');
const makeNode = libc('int mknod(const char *path, unsigned int mode, unsigned long device)');

/** How often another process may take the free number before us. Each try takes part in one race only. */
const attachTries = 64;
/** Whoever probes a device when it changes (udev) holds it for some milliseconds; a detach completes when it lets go. */
const detachWaits = [0, 5, 20, 100, 400] as const;

/** `major:minor` of /dev/loopN. */
function deviceOf(number: number): string {
  return readFileSync(`/sys/block/loop${number}/dev`, 'utf8').trim();
}

/** Opens /dev/loopN, making the node where /dev is no devtmpfs (a container without the host's /dev). */
async function openDevice(number: number, flags: number): Promise<FileHandle> {
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
    const status = Buffer.alloc(info.size);
    const { result, errno } = await request(handle.fd, LOOP_GET_STATUS64, status);
    if (result < 0) {
      const failure = new SystemCallError('LOOP_GET_STATUS64', errno, `/dev/loop${number}`);
      if (failure.code === 'ENXIO') return undefined;
      throw failure;
    }
    return {
      device: status.readBigUInt64LE(info.device),
      inode: status.readBigUInt64LE(info.inode),
      flags: status.readUInt32LE(info.flags),
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
async function allNumbers(): Promise<number[]> {
  const devices = await readdir('/sys/block');
  return devices.flatMap((device) => /^loop(\d+)$/.exec(device)?.[1] ?? []).map(Number);
}

/** Where a file was found last. Figures are asked for every minute and volume; the whole list need not be read each time. */
const lastNumbers = new Map<string, number>();

async function find(file: string): Promise<LoopDevice | undefined> {
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

function configuration(fd: number, name: string, readonly: boolean): Buffer {
  const config = Buffer.alloc(configSize);
  config.writeInt32LE(fd, 0);
  config.writeUInt32LE(sectorSize, 4);
  // No AUTOCLEAR: a staged raw block volume is opened by nobody for long stretches.
  config.writeUInt32LE(LO_FLAGS_DIRECT_IO | (readonly ? LO_FLAGS_READ_ONLY : 0), 8 + info.flags);
  config.write(name.slice(0, 63), 8 + info.fileName, 'latin1');
  return config;
}

async function configure(image: FileHandle, name: string, readonly: boolean): Promise<number> {
  const controlDevice = await open('/dev/loop-control', constants.O_RDWR);
  try {
    for (let attempt = 0; attempt < attachTries; attempt++) {
      const number = check(control(controlDevice.fd, LOOP_CTL_GET_FREE, 0), 'LOOP_CTL_GET_FREE', '/dev/loop-control');
      const device = await openDevice(number, readonly ? constants.O_RDONLY : constants.O_RDWR);
      try {
        const { result, errno } = await request(device.fd, LOOP_CONFIGURE, configuration(image.fd, name, readonly));
        if (result >= 0) return number;
        const failure = new SystemCallError('LOOP_CONFIGURE', errno, `/dev/loop${number} with ${name}`);
        // The free number is only a hint: somebody else on this kernel was quicker.
        if (failure.code !== 'EBUSY') throw failure;
      } finally {
        await device.close();
      }
    }
  } finally {
    await controlDevice.close();
  }
  throw new BerthError('BUSY', `no free loop device for ${name} in ${attachTries} tries; try again`);
}

async function detach(file: string): Promise<void> {
  const never = new AbortController().signal;
  for (const wait of detachWaits) {
    if (wait > 0) await pause(wait, never);
    const device = await find(file);
    if (device === undefined) return;
    const handle = await openDevice(device.number, constants.O_RDONLY);
    try {
      const { result, errno } = await request(handle.fd, LOOP_CLR_FD, null);
      if (result < 0) {
        const failure = new SystemCallError('LOOP_CLR_FD', errno, device.path);
        if (failure.code !== 'ENXIO' && failure.code !== 'EBUSY') throw failure;
      }
    } finally {
      // The file is let go with the last close, ours included.
      await handle.close();
    }
  }
  const device = await find(file);
  if (device === undefined) return;
  throw new BerthError(
    'BUSY',
    `${device.path} is still used by a mount or a process, ${basename(file)} stays attached`,
  );
}

async function attach(file: string, readonly: boolean): Promise<LoopDevice> {
  const present = await find(file);
  if (present !== undefined && present.readonly !== readonly) {
    const way = present.readonly ? 'read-only' : 'for writing';
    throw new BerthError('FAILED_PRECONDITION', `${basename(file)} is attached ${way} already, as ${present.path}`);
  }
  let number = present?.number;
  if (number === undefined) {
    const access = readonly ? constants.O_RDONLY : constants.O_RDWR;
    const image = await open(file, access | constants.O_NOFOLLOW);
    try {
      number = await configure(image, basename(file), readonly);
    } finally {
      await image.close();
    }
  }
  try {
    // Otherwise fstrim on the node or `discard` in a pod gives back the space a thick volume has been promised.
    await writeFile(`/sys/block/loop${number}/queue/discard_max_bytes`, '0');
    const dio = await readFile(`/sys/block/loop${number}/loop/dio`, 'utf8');
    const directIo = dio.trim() === '1';
    return { number, path: `/dev/loop${number}`, device: deviceOf(number), directIo, readonly };
  } catch (error) {
    if (present === undefined) await detach(file);
    throw error;
  }
}

/** The loop devices of this kernel. Needs CAP_SYS_ADMIN, /dev/loop-control, a writable /sys and Linux 5.8. */
export function kernelLoopDevices(): LoopDevices {
  return { find, attach: (file, { readonly }) => attach(file, readonly), detach };
}
