/** How the kernel is asked things about a btrfs: ioctls on an open folder of it, on a worker thread, as most wait for a transaction. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { check, libcAsync } from './libc.ts';

const ioctl = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');

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
  return await withFolder(folder, async (fd) => {
    const { result, errno } = await ioctl(fd, requests[request], argument);
    return check(result, request, folder, errno);
  });
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
