/**
 * When a changed list goes to the kubelet, which rewrites its checkpoint at every one: at once after a quiet time and
 * whenever a device is lost, else when changes have stopped coming, and never later than a tenth of a second.
 */

export interface Pending {
  /** When the last list went out. */
  readonly sentAt: number;
  /** When the first change came that has not gone out. */
  readonly since: number;
  /** When the newest came. */
  readonly changedAt: number;
  /** Whether a device is lost that the kubelet might still give away. */
  readonly urgent: boolean;
}

const quietMs = 20;
const longestMs = 100;

/** The time from which the list may go out; all times in milliseconds of one clock. */
export function dueAt({ sentAt, since, changedAt, urgent }: Pending): number {
  if (urgent || since - sentAt >= quietMs) return since;
  return Math.min(changedAt + quietMs, since + longestMs);
}
