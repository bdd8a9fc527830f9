/** What an engine does for the volume manager: it keeps the bytes of volumes and snapshots and shows volumes at paths. It decides nothing. */
import type { FilesystemUsage } from '../linux/filesystem.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { EngineKind, VolumeRecord, VolumeType } from './volume.ts';

/** The block device an attached volume has for itself. */
export interface VolumeDevice {
  /** `major:minor`. */
  readonly number: string;
  /** Its name in /sys/block: `loop3`. */
  readonly name: string;
  /** Whether the pool's disk is read and written directly, past the page cache. */
  readonly directIo: boolean;
}

/** Where a volume is now, read from the kernel and not from memory. */
export interface Placement {
  /** True while the volume's bytes are attached to the kernel (for `image`: to a loop device). */
  readonly attached: boolean;
  /** Undefined while it is not attached, and for engines without devices: their volumes have no I/O limits. */
  readonly device?: VolumeDevice | undefined;
  /** The mount of its filesystem at the first of the places, by its ID: the table of mounts has its options. */
  readonly mount?: number | undefined;
  /** Paths the volume is shown at; a path mounted twice is there twice. */
  readonly places: readonly { readonly path: string; readonly readonly: boolean }[];
}

/** Whatever has bytes in a pool. Its ID (checked by pattern) is its file name. */
export type Stored = VolumeRecord | SnapshotRecord;

/** A run of a stored object's bytes. Equal `physical` in two objects of a pool: the same bytes, shared. */
export interface Extent {
  /** Offset in the object, in bytes. */
  readonly logical: bigint;
  /** Offset on the pool's disk, in bytes. */
  readonly physical: bigint;
  readonly length: bigint;
  /** Allocated and never written: reads as zeroes. */
  readonly unwritten: boolean;
}

/** What volumes of an engine can be and do; the same for every volume of a pool. */
export interface EngineOffers {
  /** Raw block and filesystem types; the first filesystem is the default. */
  readonly types: readonly VolumeType[];
  /** The least a volume of the type can have, in bytes. */
  minimumOf(type: VolumeType): bigint;
  /** Snapshots, clones and restores; `shared` when they share bytes with their source and take milliseconds. */
  readonly copies: 'none' | 'full' | 'shared';
  /** Whether writers of a mounted filesystem can be held still, so that several volumes are copied at one moment. */
  readonly freezes: boolean;
  /** Volumes that take space only as it is written. */
  readonly thin: boolean;
  /** Whether `extents` answers. */
  readonly extents: boolean;
  /** Bytes that end with the boot: volumes are not expected to survive it. */
  readonly volatile: boolean;
}

/** What a volume's bytes say of themselves. */
export interface Inspection {
  /** Bytes of the pool they take now. */
  readonly allocated: bigint;
  /** Whether the pool lets them be read and written past the page cache. */
  readonly canDirectIo: boolean;
  /** The filesystem in them says that it is damaged. Right while it is not mounted. */
  readonly faulty: boolean;
}

export interface Engine {
  readonly kind: EngineKind;
  readonly offers: EngineOffers;
  /**
   * Makes the volume's bytes, durable when it returns: empty, or with the bytes of a source of at most its size (whose
   * filesystem is then grown at the next stage). On failure a part may remain, which `discard` removes.
   */
  create(volume: VolumeRecord, source?: Stored): Promise<void>;
  /** Makes the snapshot's bytes from the volume as it is at this moment, durable when it returns. A part may remain on failure. */
  snapshot(volume: VolumeRecord, snapshot: SnapshotRecord): Promise<void>;
  /** Brings bytes, device and (where it is mounted) filesystem to the record's size. Repeatable, also after a crash in between. */
  grow(volume: VolumeRecord): Promise<void>;
  /**
   * Stops writers of the volume's mounted filesystem and writes back what they wrote; for raw block it only writes back.
   * True when `thaw` has to follow.
   */
  freeze(volume: VolumeRecord): Promise<boolean>;
  /** Lets writers go on. Nothing happens when the volume is not frozen or not mounted any more. */
  thaw(volume: VolumeRecord): Promise<void>;
  /** Removes what an unfinished `create` or `snapshot` left, in one go: nobody has seen it. */
  discard(object: Stored): Promise<void>;
  /** Takes the bytes out of use durably; repeatable. Throws BUSY when the kernel still uses them. */
  moveToTrash(object: Stored): Promise<void>;
  /** Frees the space of what is in the trash and `expired` (by ID). */
  emptyTrash(expired: (id: string) => boolean): Promise<void>;
  /** Brings an object's bytes back from the trash; repeatable. Throws NOT_FOUND when they are not there. */
  restoreFromTrash(object: Stored): Promise<void>;
  look(volume: VolumeRecord): Promise<Placement>;
  /** Attaches the volume and, for a filesystem, checks, mounts and where needed grows it at the existing folder. On failure it undoes what it did. */
  stage(volume: VolumeRecord, folder: string, mountFlags: readonly string[]): Promise<VolumeDevice | undefined>;
  /** Takes one mount off the path. */
  unmount(path: string): Promise<void>;
  /** Detaches the volume; it is mounted nowhere any more. Throws BUSY when something keeps it. */
  detach(volume: VolumeRecord): Promise<void>;
  /** Shows the staged volume also at the target: a folder, or for raw block a file. */
  publish(volume: VolumeRecord, request: { staging: string; target: string; readonly: boolean }): Promise<void>;
  /** Size of the object's bytes on disk, or undefined when they are missing. */
  sizeOf(object: Stored): Promise<bigint | undefined>;
  /** Undefined when there are no bytes. For engines whose volumes can be looked into from outside. */
  inspect?(volume: VolumeRecord): Promise<Inspection | undefined>;
  /** Figures of a filesystem volume, where the filesystem it is mounted from would show others: a subvolume's are its pool's. */
  usage?(volume: VolumeRecord): Promise<FilesystemUsage>;
  /**
   * What the ledger counts new promises against, in bytes, where it is not the free space of the pool's filesystem: that
   * is right only if a promise is taken from it at once. What is promised to ready objects is taken off already.
   */
  space?(): Promise<{ readonly total: bigint; readonly available: bigint }>;
  /** The object's extents in order, written back first. Throws UNSUPPORTED when the engine has none. */
  extents(object: Stored): Promise<readonly Extent[]>;
  /** Things among the engine's own that belong to nothing in the list: reported, never removed. */
  strangers(objects: readonly Stored[]): Promise<readonly { readonly file: string; readonly bytes: bigint }[]>;
}
