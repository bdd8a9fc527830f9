/** How the kernel is asked things about a btrfs: ioctls on an open folder of it, on a worker thread, as most wait for a transaction. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { check, libc, libcAsync } from './libc.ts';

const ioctl = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');
const openByHandle = libcAsync('int open_by_handle_at(int mount, void *handle, int flags)');
const closeCall = libc('int close(int fd)');

/** The inode of every subvolume's root. */
export const rootInode = 256n;

/** Requests of linux/btrfs.h, by the name in it without `BTRFS_IOC_`. */
const requests = {
  WAIT_SYNC: 0x40089416,
  START_SYNC: 0x80089418,
  SYNC: 0x9408,
  SPACE_INFO: 0xc0109414,
  TREE_SEARCH_V2: 0xc0709411,
  INO_LOOKUP: 0xd0009412,
  SNAP_CREATE_V2: 0x50009417,
  SUBVOL_CREATE_V2: 0x50009418,
  SUBVOL_GETFLAGS: 0x80089419,
  SUBVOL_SETFLAGS: 0x4008941a,
  QUOTA_CTL: 0xc0109428,
  QGROUP_ASSIGN: 0x40189429,
  QGROUP_CREATE: 0x4010942a,
  QGROUP_LIMIT: 0x8030942b,
  QUOTA_RESCAN: 0x4040942c,
  SNAP_DESTROY_V2: 0x5000943f,
} as const;

/** Does one request on a folder, never through a symbolic link. Throws SystemCallError; answers with the call's result. */
export async function askBtrfs(
  folder: string,
  request: keyof typeof requests,
  argument: Uint8Array | null,
): Promise<number> {
  return await withFolder(folder, (fd) => askOpened(fd, request, argument, folder));
}

/** The same on an open folder, which errors call `subject`. */
async function askOpened(
  fd: number,
  request: keyof typeof requests,
  argument: Uint8Array | null,
  subject: string,
): Promise<number> {
  const { result, errno } = await ioctl(fd, requests[request], argument);
  return check(result, request, subject, errno);
}

/**
 * Does one request on the root of a subvolume of the folder's filesystem, wherever that is: names on the way there may be anybody's,
 * and longer than a path can be. Needs CAP_DAC_READ_SEARCH.
 */
export async function askSubvolume(
  folder: string,
  id: bigint,
  request: keyof typeof requests,
  argument: Uint8Array | null,
): Promise<number> {
  return await withFolder(folder, async (mount) => {
    const opened = await openByHandle(mount, handleOf(id), constants.O_RDONLY);
    const fd = check(opened.result, 'open_by_handle_at', `subvolume ${id}`, opened.errno);
    try {
      return await askOpened(fd, request, argument, `subvolume ${id}`);
    } finally {
      closeCall(fd);
    }
  });
}

/** struct file_handle of a root: size, type (without a parent), then inode, tree and generation (any). */
function handleOf(id: bigint): Buffer {
  const handle = Buffer.alloc(28);
  handle.writeUInt32LE(20, 0);
  handle.writeInt32LE(0x4d, 4);
  handle.writeBigUInt64LE(rootInode, 8);
  handle.writeBigUInt64LE(id, 16);
  return handle;
}

/** Opens a folder for as long as the work takes. */
export async function withFolder<T>(folder: string, work: (fd: number) => Promise<T>): Promise<T> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    return await work(handle.fd);
  } finally {
    await handle.close();
  }
}

/** 64-bit words as the kernel reads them. */
export function words(...values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(value, index * 8);
  return bytes;
}
