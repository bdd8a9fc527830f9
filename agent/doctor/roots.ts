/** Where the doctor reads: the machine, or a tree that was recorded of one. */
import { join } from 'node:path';

export interface Roots {
  readonly proc: string;
  readonly sys: string;
  readonly dev: string;
  /** What everything else lies below. */
  readonly host: string;
}

export const machineRoots: Roots = { proc: '/proc', sys: '/sys', dev: '/dev', host: '/' };

/** The roots of a recorded tree, which has the folders proc, sys and dev in its own. */
export function rootsBelow(folder: string): Roots {
  return { proc: join(folder, 'proc'), sys: join(folder, 'sys'), dev: join(folder, 'dev'), host: folder };
}
