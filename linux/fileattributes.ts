/** Attributes of files and folders (FS_IOC_SETFLAGS): on btrfs, overwriting in place instead of copying on write. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { libcAsync, SystemCallError } from './libc.ts';

const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_NOCOW_FL = 0x800000;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');

/** The flags, or undefined where the filesystem has none. */
async function flagsOf(file: FileHandle): Promise<number | undefined> {
  // Declared as long, read and written as int.
  const flags = Buffer.alloc(8);
  const { result } = await request(file.fd, FS_IOC_GETFLAGS, flags);
  return result < 0 ? undefined : flags.readUInt32LE(0);
}

/** Nothing happens where there is no such attribute: everywhere but on btrfs. */
async function setFlags(file: FileHandle, flags: number, what: string): Promise<void> {
  const argument = Buffer.alloc(8);
  argument.writeUInt32LE(flags >>> 0, 0);
  const { result, errno } = await request(file.fd, FS_IOC_SETFLAGS, argument);
  if (result >= 0) return;
  const failure = new SystemCallError('FS_IOC_SETFLAGS', errno, what);
  if (!['EOPNOTSUPP', 'ENOTSUP', 'ENOTTY'].includes(failure.code)) throw failure;
}

/** Gives the new, empty file `to` the NOCOW attribute of `from`: btrfs lets only files that agree in it share bytes. */
export async function inheritNoCow(from: FileHandle, to: FileHandle): Promise<void> {
  const [wanted, present] = [await flagsOf(from), await flagsOf(to)];
  if (wanted === undefined || present === undefined || ((wanted ^ present) & FS_NOCOW_FL) === 0) return;
  await setFlags(to, present ^ FS_NOCOW_FL, 'a new image');
}

/** See `Filesystems.overwriteInPlace`. */
export async function overwriteInPlace(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const flags = await flagsOf(handle);
    if (flags === undefined || (flags & FS_NOCOW_FL) !== 0) return;
    await setFlags(handle, flags | FS_NOCOW_FL, folder);
  } finally {
    await handle.close();
  }
}
