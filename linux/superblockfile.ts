/** Reads what a file or block device begins with. */
import { constants } from 'node:fs';
import { closeFd, openFd, readFd } from '../kit/descriptors.ts';
import { filesystemState, identifyBytes, identifyContent } from './superblock.ts';
import type { Content, FilesystemState } from './superblock.ts';

async function beginningIn(file: string): Promise<Buffer> {
  const fd = await openFd(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await beginningOf(fd);
  } finally {
    // Waited for: a detach is delayed by whoever has the device open.
    await closeFd(fd);
  }
}

/** What an open file begins with. */
export async function beginningOf(fd: number): Promise<Buffer> {
  const buffer = Buffer.alloc(identifyBytes);
  const { bytesRead } = await readFd(fd, buffer, 0, identifyBytes, 0);
  return buffer.subarray(0, bytesRead);
}

/** See `Filesystems.identify`. */
export async function identify(file: string): Promise<Content> {
  return identifyContent(await beginningIn(file));
}

/** See `Filesystems.examine`. */
export async function examine(
  file: string,
): Promise<{ readonly content: Content; readonly state: FilesystemState | undefined }> {
  const bytes = await beginningIn(file);
  return { content: identifyContent(bytes), state: filesystemState(bytes) };
}

/** See `Filesystems.stateOf`. */
export async function filesystemStateOf(file: string): Promise<FilesystemState | undefined> {
  return filesystemState(await beginningIn(file));
}
