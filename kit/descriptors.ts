/**
 * Open files as plain numbers: `closeSync` closes one on this thread where nothing in that can wait, which takes less than a way
 * through the thread pool; a FileHandle cannot be closed so.
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
