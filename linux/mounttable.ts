/** The mount table, read when it has changed: a busy node has hundreds of mounts, and each step of a volume asks what is mounted where. */
import { openSync } from 'node:fs';
import { libc } from './libc.ts';
import { readMountInfo } from './mountinfo.ts';
import type { MountEntry } from './mountinfo.ts';

/** struct pollfd: the descriptor (32 bits), the events asked for, those that happened (16 bits each). */
const pollfd = { events: 4, happened: 6, size: 8 } as const;
const POLLPRI = 2;

const poll = libc('int poll(void *descriptors, unsigned long count, int timeout)');

let asked: Buffer | undefined;
let known: readonly MountEntry[] | undefined;

/** Whether mounts came, went or changed since this was asked last (proc_pid_mounts(5)). It takes a microsecond. */
function hasChanged(): boolean {
  if (asked === undefined) {
    const fd = openSync('/proc/self/mountinfo', 'r');
    asked = Buffer.alloc(pollfd.size);
    asked.writeInt32LE(fd);
    asked.writeInt16LE(POLLPRI, pollfd.events);
  }
  // A change is POLLPRI with POLLERR; what does not answer tells nothing.
  return poll(asked, 1, 0) < 0 || asked.readInt16LE(pollfd.happened) !== 0;
}

/**
 * The mounts of this process now. What a filesystem became by itself or was made in another mount namespace (`superOptions`), and how
 * mounts propagate (`tags`), changes without the table's being said to, as does a mount point when a folder above it is renamed: that is
 * as it was when any mount came, went or changed last.
 */
export function mountTable(): readonly MountEntry[] {
  // Asked before it is read: what changes in between is read twice rather than not at all.
  if (hasChanged()) known = undefined;
  return (known ??= readMountInfo());
}
