/** The space of image files: made with or without it, and extended. Never shrunk. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { check, libcAsync } from './libc.ts';

export interface SpaceOptions {
  /** True: space is taken when it is written. Default: all of it is the file's from the start. */
  readonly sparse?: boolean;
}

const fallocate = libcAsync('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
const truncate = libcAsync('int ftruncate(int fd, int64_t length)');

/** Gives an open file exactly the size and, unless sparse, the space. */
async function fill(fd: number, file: string, bytes: bigint, sparse: boolean): Promise<void> {
  const { result, errno } = await (sparse ? truncate(fd, bytes) : fallocate(fd, 0, 0, bytes));
  check(result, `${sparse ? 'ftruncate' : 'fallocate'} to ${bytes} bytes of`, file, errno);
}

/** See `Filesystems.allocate`. */
export async function allocate(file: string, bytes: bigint, { sparse = false }: SpaceOptions = {}): Promise<void> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const image = await open(file, flags, 0o600);
  try {
    await fill(image.fd, file, bytes, sparse);
    await image.sync();
  } finally {
    await image.close();
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
    await image.sync();
  } finally {
    await image.close();
  }
}
