/** A lock that a process holds on a file and loses when it ends, however it ends: flock(2). */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { check, libc } from './libc.ts';

export interface FileLock {
  release(): Promise<void>;
}

const flock = libc('int flock(int fd, int operation)');
const LOCK_EX_NB = 2 | 4;

/** Takes the lock, making the file when it is missing. Throws BUSY when another process (or opening) holds it. */
export async function lockFile(path: string): Promise<FileLock> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    check(flock(handle.fd, LOCK_EX_NB), 'flock', path);
  } catch (error) {
    await handle.close();
    // One number with two names, of which Node tells the other.
    if (!['EAGAIN', 'EWOULDBLOCK'].includes(errnoOf(error) ?? '')) throw error;
    throw new BerthError('BUSY', `${path} is locked by another process; only one Berth may use it at a time`);
  }
  return { release: () => handle.close() };
}
