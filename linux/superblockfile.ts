/** Reads what a file or block device begins with. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { filesystemState, identifyBytes, identifyContent } from './superblock.ts';
import type { Content, FilesystemState } from './superblock.ts';

async function beginningOf(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.alloc(identifyBytes);
    const { bytesRead } = await handle.read(buffer, 0, identifyBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** See `Filesystems.identify`. */
export async function identify(file: string): Promise<Content> {
  return identifyContent(await beginningOf(file));
}

/** See `Filesystems.examine`. */
export async function examine(
  file: string,
): Promise<{ readonly content: Content; readonly state: FilesystemState | undefined }> {
  const bytes = await beginningOf(file);
  return { content: identifyContent(bytes), state: filesystemState(bytes) };
}

/** See `Filesystems.stateOf`. */
export async function filesystemStateOf(file: string): Promise<FilesystemState | undefined> {
  return filesystemState(await beginningOf(file));
}
