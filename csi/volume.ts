/** What a volume is to Berth: its record, the ways it can be used, and how they compare. Pure data. */
import type { FilesystemType } from '../linux/filesystem.ts';
import { GiB, MiB } from './quantity.ts';

/** Raw bytes for the pod, or a filesystem that Berth has made. */
export type VolumeUse =
  { readonly kind: 'block' } | { readonly kind: 'filesystem'; readonly type: FilesystemType; readonly uuid: string };

/** The access modes a node-local volume has (CSI VolumeCapability.AccessMode; Kubernetes: RWO, RWOP, ROX on one node). */
export const accessModes = [
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
] as const;
export type AccessMode = (typeof accessModes)[number];

/** creating: an intent, its image may be half there. ready: usable. deleting: an intent, never usable again. */
export type VolumeState = 'creating' | 'ready' | 'deleting';

/** Everything about a volume that must survive the boot. One file per record, in the pool. */
export interface VolumeRecord {
  readonly id: string;
  /** The CO's name: the key of idempotency, never a part of a path. */
  readonly name: string;
  readonly state: VolumeState;
  readonly bytes: bigint;
  readonly use: VolumeUse;
  /** The parameters it was made with, for comparing a repeated request. */
  readonly parameters: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** How one capability of a request wants to use a volume. */
export interface WantedUse {
  readonly kind: 'block' | 'filesystem';
  /** Undefined when the request leaves the choice to us, and for block. */
  readonly fsType: FilesystemType | undefined;
  readonly mountFlags: readonly string[];
  readonly mode: AccessMode;
}

/** Zero means not set, as in CSI. */
export interface CapacityRange {
  readonly required: bigint;
  readonly limit: bigint;
}

/** mkfs.xfs refuses less than 300 MiB; ext4 needs room for its journal; blocks are counted in MiB. */
export const minimumBytes = { xfs: 300n * MiB, ext4: 32n * MiB, block: 1n * MiB } as const;
export const defaultFsType: FilesystemType = 'xfs';
export const defaultBytes = GiB;

/** Sizes are whole sectors of the loop device. */
export const sectorBytes = 4096n;

/** `xfs`, `ext4` or `raw block`, for people. */
export function describeUse(use: { readonly kind: string; readonly type?: string }): string {
  return use.kind === 'block' ? 'raw block' : (use.type ?? 'filesystem');
}
