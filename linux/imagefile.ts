/** The space of image files: made with or without it, and extended. Never shrunk. */
import { constants, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { closeBeside, fsyncFd, openFd } from '../kit/descriptors.ts';
import { check, libcAsync } from './libc.ts';

export interface SpaceOptions {
  /** True: space is taken when it is written. Default: all of it is the file's from the start. */
  readonly sparse?: boolean;
}

const BTRFS_IOC_START_SYNC = 0x80089418;
const BTRFS_IOC_WAIT_SYNC = 0x40089416;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');
const fallocate = libcAsync('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
const truncate = libcAsync('int ftruncate(int fd, int64_t length)');

/**
 * Makes the pool's figures of free space count an image. A btrfs counts what it has given only when its transaction ends, up to 30 s
 * later: until then the same space would be promised again.
 */
async function count(image: number): Promise<void> {
  // A filesystem on one block device has that device's number. Those of btrfs are of no device: their major number is 0.
  if (((fstatSync(image).dev >> 8) & 0xfff) !== 0) return;
  const transaction = Buffer.alloc(8);
  if ((await request(image, BTRFS_IOC_START_SYNC, transaction)).result < 0) return;
  await request(image, BTRFS_IOC_WAIT_SYNC, transaction);
}

/** Writes an open image back, and makes the pool's figures of free space count it. */
export async function settle(image: number): Promise<void> {
  await fsyncFd(image);
  await count(image);
}

/** Gives an open file exactly the size and, unless sparse, the space. */
async function fill(fd: number, file: string, bytes: bigint, sparse: boolean): Promise<void> {
  const { result, errno } = await (sparse ? truncate(fd, bytes) : fallocate(fd, 0, 0, bytes));
  check(result, `${sparse ? 'ftruncate' : 'fallocate'} to ${bytes} bytes of`, file, errno);
}

/** See `Filesystems.allocate`. */
export async function allocate(file: string, bytes: bigint, { sparse = false }: SpaceOptions = {}): Promise<void> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const image = await openFd(file, flags, 0o600);
  try {
    await fill(image, file, bytes, sparse);
    await count(image);
  } finally {
    closeBeside(image);
  }
}

/** See `Filesystems.settle`. */
export async function settleFile(file: string): Promise<void> {
  const image = await openFd(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await settle(image);
  } finally {
    closeBeside(image);
  }
}

/** See `Filesystems.extend`. */
export async function extend(file: string, bytes: bigint, { sparse = false }: SpaceOptions = {}): Promise<void> {
  const image = await open(file, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const { size } = await image.stat({ bigint: true });
    if (sparse && size >= bytes) return;
    try {
      await fill(image.fd, file, bytes, sparse);
    } catch (error) {
      // A part of the asked space may have been given and counted into the size. Nobody has seen it yet.
      if (size < bytes) await truncate(image.fd, size);
      throw error;
    }
    await settle(image.fd);
  } finally {
    await image.close();
  }
}
