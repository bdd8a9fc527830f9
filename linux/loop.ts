/** Loop devices: a regular file as a block device, with direct I/O and 4096-byte sectors. Found again by inode, not by name. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { pause } from '../kit/backoff.ts';
import { closeBeside, closeFd, openFd } from '../kit/descriptors.ts';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { libcAsync, SystemCallError } from './libc.ts';
import {
  attachedDevice,
  deviceOfInode,
  find,
  forget,
  isAttached,
  LO_FLAGS_DIRECT_IO,
  LO_FLAGS_READ_ONLY,
  loopInfo,
  openDevice,
} from './loopfind.ts';
import type { Inode, LoopDevice } from './loopfind.ts';
import { freeNumber } from './loopnumber.ts';

export type { LoopDevice } from './loopfind.ts';

/** Loop devices of the whole machine: those of other files, users and nodes on this kernel are never opened or changed. */
export interface LoopDevices {
  /** The device the file is attached to, or undefined. Throws SystemCallError ENOENT when there is no such file. */
  find(file: string): Promise<LoopDevice | undefined>;
  /**
   * Attaches the file, or takes the device it is attached to already (left by a crash), with the file's size. Unless `discard`, discarding is
   * switched off: the file keeps its space. Throws FAILED_PRECONDITION when it is attached the other way (read-only or not).
   */
  attach(file: string, options: { readonly readonly: boolean; readonly discard?: boolean }): Promise<LoopDevice>;
  /** Gives the device the size of the file, while it is used; nothing happens when the file is not attached. */
  grow(file: string): Promise<void>;
  /** Detaches the file; nothing happens when it is not attached. Throws BUSY when a mount or a process keeps the device. */
  detach(file: string): Promise<void>;
}

// linux/loop.h
const LOOP_CLR_FD = 0x4c01;
const LOOP_SET_CAPACITY = 0x4c07;
const LOOP_CONFIGURE = 0x4c0a;
/** In struct loop_config, loop_info64 follows two 32-bit words (fd, block_size). */
const configSize = 8 + loopInfo.size + 64;
const sectorSize = 4096;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');

/** How often another process may take the free number before us. Each try takes part in one race only. */
const attachTries = 64;
/**
 * Whoever probes a device when it changes (udev) holds it for some milliseconds; a detach completes when it lets go. The second
 * time only looks whether the first was enough.
 */
const detachWaits = [0, 0, 5, 20, 100, 400] as const;

interface AttachOptions {
  readonly readonly: boolean;
  readonly discard: boolean;
}

function configuration(fd: number, name: string, readonly: boolean): Buffer {
  const config = Buffer.alloc(configSize);
  config.writeInt32LE(fd, 0);
  config.writeUInt32LE(sectorSize, 4);
  // No AUTOCLEAR: a staged raw block volume is opened by nobody for long stretches.
  config.writeUInt32LE(LO_FLAGS_DIRECT_IO | (readonly ? LO_FLAGS_READ_ONLY : 0), 8 + loopInfo.flags);
  config.write(name.slice(0, 63), 8 + loopInfo.fileName, 'latin1');
  return config;
}

interface OpenImage extends Inode {
  readonly fd: number;
}

/** Attaches an image to a free device. */
async function configure(image: OpenImage, file: string, { readonly, discard }: AttachOptions): Promise<LoopDevice> {
  const name = basename(file);
  // Not on a worker thread: nothing in opening it can wait.
  const controlFd = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    for (let attempt = 0; attempt < attachTries; attempt++) {
      const number = await freeNumber(controlFd, discard);
      const device = await openDevice(number, readonly ? constants.O_RDONLY : constants.O_RDWR);
      try {
        const { result, errno } = await request(device, LOOP_CONFIGURE, configuration(image.fd, name, readonly));
        if (result >= 0) return attachedDevice(file, image, number);
        const failure = new SystemCallError('LOOP_CONFIGURE', errno, `/dev/loop${number} with ${name}`);
        // The free number is only a hint: somebody else on this kernel was quicker.
        if (failure.code !== 'EBUSY') throw failure;
      } finally {
        // Waited for: a detach is delayed by whoever has the device open.
        await closeFd(device);
      }
    }
  } finally {
    closeSync(controlFd);
  }
  throw new BerthError('BUSY', `no free loop device for ${name} in ${attachTries} tries; try again`);
}

/** Undefined while the device is being detached: it cannot be opened then. */
async function openAttached({ number }: LoopDevice): Promise<number | undefined> {
  try {
    return await openDevice(number, constants.O_RDONLY);
  } catch (error) {
    if (errnoOf(error) === 'ENXIO') return undefined;
    throw error;
  }
}

async function detach(file: string): Promise<void> {
  const never = new AbortController().signal;
  for (const wait of detachWaits) {
    if (wait > 0) await pause(wait, never);
    const device = await find(file);
    if (device === undefined) return;
    const fd = await openAttached(device);
    // Somebody else had it open when it was told to detach, and is just letting go.
    if (fd === undefined) continue;
    try {
      const { result, errno } = await request(fd, LOOP_CLR_FD, null);
      if (result < 0) {
        const failure = new SystemCallError('LOOP_CLR_FD', errno, device.path);
        if (failure.code !== 'ENXIO' && failure.code !== 'EBUSY') throw failure;
      }
    } finally {
      // The file is let go with the last close, ours included, which may wait for the device to come to rest.
      await closeFd(fd);
    }
    if (!isAttached(device.number)) {
      forget(file);
      return;
    }
  }
  const device = await find(file);
  if (device === undefined) return;
  throw new BerthError(
    'BUSY',
    `${device.path} is still used by a mount or a process, ${basename(file)} stays attached`,
  );
}

async function grow(file: string): Promise<void> {
  const device = await find(file);
  if (device !== undefined) await takeSize(device);
}

/** Gives a device the size that its file has now. */
async function takeSize(device: LoopDevice): Promise<void> {
  const fd = await openDevice(device.number, constants.O_RDONLY);
  try {
    const { result, errno } = await request(fd, LOOP_SET_CAPACITY, null);
    if (result < 0) throw new SystemCallError('LOOP_SET_CAPACITY', errno, device.path);
  } finally {
    await closeFd(fd);
  }
}

/** Switches discarding off. */
async function keepSpace(number: number): Promise<void> {
  const limit = `/sys/block/loop${number}/queue/discard_max_bytes`;
  // Reading costs nothing; a write, also of the same, stops the queue for some 10 ms.
  if (readFileSync(limit, 'utf8').trim() !== '0') await writeFile(limit, '0');
}

async function attach(file: string, options: AttachOptions): Promise<LoopDevice> {
  const { readonly, discard } = options;
  const access = readonly ? constants.O_RDONLY : constants.O_RDWR;
  const image = await openFd(file, access | constants.O_NOFOLLOW);
  let present: LoopDevice | undefined;
  let device: LoopDevice;
  try {
    // Of a file that is open: it answers from memory.
    const { dev, ino } = fstatSync(image, { bigint: true });
    present = await deviceOfInode(file, { dev, ino });
    if (present !== undefined && present.readonly !== readonly) {
      const way = present.readonly ? 'read-only' : 'for writing';
      throw new BerthError('FAILED_PRECONDITION', `${basename(file)} is attached ${way} already, as ${present.path}`);
    }
    device = present ?? (await configure({ fd: image, dev, ino }, file, options));
  } finally {
    // The device has the file open itself.
    closeBeside(image);
  }
  try {
    if (present !== undefined) await takeSize(present);
    // Otherwise fstrim on the node or `discard` in a pod gives back the space a thick volume has been promised.
    if (!discard) await keepSpace(device.number);
    return device;
  } catch (error) {
    if (present === undefined) await detach(file);
    throw error;
  }
}

/** The loop devices of this kernel. Needs CAP_SYS_ADMIN, /dev/loop-control, a writable /sys and Linux 5.8. */
export function kernelLoopDevices(): LoopDevices {
  return { find, attach: (file, { readonly, discard = false }) => attach(file, { readonly, discard }), grow, detach };
}
