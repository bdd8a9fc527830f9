/** What can be asked of a block device, whoever uses it: its size, whether it is held, and to write back. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { errnoOf } from '../kit/errors.ts';
import { libcAsync, SystemCallError } from './libc.ts';

const BLKGETSIZE64 = 0x80081272;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');

async function withDevice<T>(device: string, flags: number, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(device, constants.O_RDONLY | constants.O_NOFOLLOW | flags);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Size in bytes. */
export async function deviceBytes(device: string): Promise<bigint> {
  return await withDevice(device, 0, async ({ fd }) => {
    const bytes = Buffer.alloc(8);
    const { result, errno } = await request(fd, BLKGETSIZE64, bytes);
    if (result < 0) throw new SystemCallError('BLKGETSIZE64', errno, device);
    return bytes.readBigUInt64LE(0);
  });
}

/** Whether a filesystem on it is mounted, in whatever mount namespace, or a program holds it for itself. */
export async function isHeld(device: string): Promise<boolean> {
  try {
    return await withDevice(device, constants.O_EXCL, () => Promise.resolve(false));
  } catch (error) {
    if (errnoOf(error) === 'EBUSY') return true;
    throw error;
  }
}

/** See `Filesystems.writeBack`. */
export async function writeBack(device: string): Promise<void> {
  // All openings of a block device share its cache, so this reaches what others wrote; and the loop device below it
  // passes the flush on to its file.
  await withDevice(device, 0, (handle) => handle.sync());
}
