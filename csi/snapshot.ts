/** What a snapshot and a group of snapshots are to Berth: their records. Pure data. */
import type { VolumeUse } from './volume.ts';

/** creating: an intent, its bytes may be half there. ready: usable. deleting: an intent, never usable again. */
export type SnapshotState = 'creating' | 'ready' | 'deleting';

/** Everything about a snapshot that must survive the boot. It is independent of its source, which may be gone. */
export interface SnapshotRecord {
  readonly id: string;
  /** The CO's name: the key of idempotency, never a part of a path. */
  readonly name: string;
  readonly state: SnapshotState;
  /** The source's size at that moment: the least a volume restored from it can have. */
  readonly bytes: bigint;
  /** What the source was: a volume restored from it is the same, with the same UUID. */
  readonly use: VolumeUse;
  /** The source volume's ID. */
  readonly sourceId: string;
  /** Stored things that may share bytes have the same family: the ID of the volume they all descend from. */
  readonly family: string;
  /** Whether space is reserved for all of it, so that its source can be overwritten entirely. */
  readonly reserved: boolean;
  /** The group it was taken with, if any: it is deleted with that group only. */
  readonly groupId?: string | undefined;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** Snapshots taken at one moment. The members' records name the group; this is its name and what it was asked for. */
export interface GroupRecord {
  readonly id: string;
  readonly name: string;
  readonly state: SnapshotState;
  /** Sorted. */
  readonly sourceIds: readonly string[];
  /** In the order of `sourceIds`. */
  readonly snapshotIds: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string;
}
