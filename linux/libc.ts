/** The C library through koffi: declares functions of libc and turns a failed call into a SystemCallError with its errno. */
import { constants } from 'node:os';
import koffi from 'koffi';

/** A system call that failed. `code` is the errno name (`ENOENT`), as in Node's own file errors. */
export class SystemCallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, subject: string) {
    const code = nameOfErrno(errno);
    super(`${syscall} ${subject}: ${strerror(errno)} (${code})`);
    this.name = 'SystemCallError';
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

const names = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `ENOENT` for 2; `E<number>` for one that Node has no name for. */
export function nameOfErrno(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

const library = koffi.load('libc.so.6');
const strerror = library.func('const char *strerror(int errnum)') as (errno: number) => string;

/** A value that crosses the C boundary: integers, strings, lists of strings, and buffers for pointers. */
export type CValue = number | bigint | string | Uint8Array | null | readonly (string | null)[];

/** A libc function declared by its C prototype, called synchronously on this thread. Follow it with `check`. */
export function libc(prototype: string): (...args: CValue[]) => number {
  return library.func(prototype) as (...args: CValue[]) => number;
}

/** The same on a worker thread, for calls that may block (umount, fsync, recv). errno is the one of that call. */
export function libcAsync(prototype: string): (...args: CValue[]) => Promise<{ result: number; errno: number }> {
  const declared = library.func(prototype);
  return (...args) =>
    new Promise((resolve, reject) => {
      declared.async(...args, (error: Error | null, result: number) => {
        // koffi restores the worker's errno for the time of this callback (tested).
        if (error === null) resolve({ result, errno: koffi.errno() });
        else reject(error);
      });
    });
}

/** Returns a call's result, or throws SystemCallError when it is negative. `errno` defaults to the one of this thread. */
export function check(result: number, syscall: string, subject: string, errno: number = koffi.errno()): number {
  if (result < 0) throw new SystemCallError(syscall, errno, subject);
  return result;
}
