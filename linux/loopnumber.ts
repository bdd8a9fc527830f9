/** Chooses a free loop device, with regard to what an earlier user has left of it. */
import { readFileSync } from 'node:fs';
import { allNumbers, isAttached } from './loopfind.ts';
import { check, libc } from './libc.ts';

const LOOP_CTL_ADD = 0x4c80;
const LOOP_CTL_GET_FREE = 0x4c82;

const control = libc('int ioctl(int fd, unsigned long request, long argument)');

/** Whether a device that nobody uses would pass discards on to its next file. */
function couldDiscard(number: number): boolean {
  try {
    if (isAttached(number)) return false;
    const limit = (name: string): number => Number(readFileSync(`/sys/block/loop${number}/queue/${name}`, 'utf8'));
    return limit('discard_max_bytes') > 0 || limit('discard_max_hw_bytes') === 0;
  } catch {
    // It has just been removed.
    return false;
  }
}

/**
 * The number of a device that is free at this moment. A limit of discards outlives the file it was set for, and from Linux
 * 6.10 on the kernel refuses to lift one of zero: who wants to discard gets a device where nobody has set it.
 */
export async function freeNumber(controlFd: number, discard: boolean): Promise<number> {
  if (!discard) return check(control(controlFd, LOOP_CTL_GET_FREE, 0), 'LOOP_CTL_GET_FREE', '/dev/loop-control');
  const unspoilt = (await allNumbers()).filter(couldDiscard).sort((a, b) => a - b)[0];
  return unspoilt ?? check(control(controlFd, LOOP_CTL_ADD, -1), 'LOOP_CTL_ADD', '/dev/loop-control');
}
