/** What an inventory is read from, and what it is asked for beyond the common facts. */
import type { PathGlob } from '../config/pathglob.ts';

/** Where the parts of the host are seen; tests give the folders of a recorded machine. */
export interface InventoryRoots {
  readonly devRoot: string;
  readonly sysRoot: string;
  /** Need not exist. */
  readonly udevRoot: string;
  readonly procRoot: string;
}

/** What rules name. */
export interface Wants {
  /** Patterns for nodes and links that neither sysfs nor udev know. */
  readonly globs: readonly PathGlob[];
  /** Names of attribute files, read of every device that has them. */
  readonly attributes: ReadonlySet<string>;
}
