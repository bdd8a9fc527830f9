/** Reading a small file that others may have put there: never waits for a pipe, and never fills the memory. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BerthError } from './errors.ts';

/** Its text. Throws INVALID_ARGUMENT for what is no regular file or has more bytes than `largest`, else what opening and reading say. */
export async function readRegularFile(path: string, largest: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new BerthError('INVALID_ARGUMENT', 'it is no file');
    if (stat.size > largest) throw new BerthError('INVALID_ARGUMENT', `it has ${stat.size} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
