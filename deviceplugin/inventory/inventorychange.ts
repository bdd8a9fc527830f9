/** A new inventory, with why it is there. */
import type { Inventory } from './inventory.ts';

/** An event of the kernel, udev's part of it, a name below /dev, new rules, events that were lost, or a scan now and then. */
export type ChangeCause = 'event' | 'udev' | 'names' | 'wants' | 'lost' | 'rescan';

export interface InventoryChange {
  readonly inventory: Inventory;
  readonly cause: ChangeCause;
  /** `performance.now()` when the first of what led to it was heard of. */
  readonly since: number;
}
