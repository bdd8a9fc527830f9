/**
 * Open files as plain numbers. What nobody writes through, such as a folder, `closeSync` can close on this thread, which takes less than a
 * way through the thread pool; a FileHandle cannot be closed so. Others are closed on a worker: the last close of a file that was
 * written gives back what its filesystem had set aside for it (XFS by a transaction), that of a device writes its cache back.
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';

export const openFd = promisify(fs.open);
export const readFd = promisify(fs.read);
export const fsyncFd = promisify(fs.fsync);
/** Writes all of it, in as many calls as that takes. */
export const writeFd = promisify(fs.writeFile);
export const chmodFd = promisify(fs.fchmod);
export const closeFd = promisify(fs.close);

/** Closes on a worker thread without being waited for, where what follows does not depend on it and there is no error to be told of. */
export function closeBeside(fd: number): void {
  void closeFd(fd).catch(() => undefined);
}
