/** Reading a small file that others may have put there: never waits for a pipe, and never fills the memory. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { BerthError } from './errors.ts';

/** Its text. Throws INVALID_ARGUMENT for what is no regular file or has more bytes than `largest`, else what opening and reading say. */
export async function readRegularFile(path: string, largest: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new BerthError('INVALID_ARGUMENT', 'it is no file');
    if (stat.size > largest) throw new BerthError('INVALID_ARGUMENT', `it has ${stat.size} bytes`);
    return await textOf(file, stat.size, largest);
  } finally {
    await file.close();
  }
}

/** Of a file that had so many bytes a moment ago: somebody may be writing to it. */
async function textOf(file: FileHandle, size: number, largest: number): Promise<string> {
  let buffer = Buffer.allocUnsafe(size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    length += bytesRead;
    if (length > largest) throw new BerthError('INVALID_ARGUMENT', `it has more than ${largest} bytes`);
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(2 * length, largest) + 1);
  }
}
