/** What is remembered of serial numbers, so that two devices that say the same one never change their IDs. */

/** At a place there was a device with a serial number, and this is the ID that it had. Both are IDs, not texts of the hardware. */
export interface MemoryRecord {
  /** ID that the serial number gives. */
  readonly serial: string;
  /** ID that the place gives: what a second device with the serial number is called there. */
  readonly place: string;
  /** Whether the device there has the serial number's ID. Else another had it, and it has the place's. */
  readonly holds: boolean;
}

/** By resource; the records of one are from the one that was not seen for longest to those that are there. */
export type IdentityMemory = ReadonlyMap<string, readonly MemoryRecord[]>;

/** Most records of one resource of devices that are away; the oldest go first. */
export const mostAway = 4_096;
