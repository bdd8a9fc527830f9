/** Ends this process at once (_exit(2)), without waiting for threads that are in the kernel. */
import { libc } from './libc.ts';

const exit = libc('void _exit(int status)');

export function exitNow(code: number): never {
  exit(code);
  throw new Error('_exit returned');
}
