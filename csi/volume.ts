/** What a volume is to Berth: its record, the ways it can be used, and how they compare. Pure data. */
import { GiB } from './quantity.ts';

/** How a pool keeps its volumes: image files on loop devices, btrfs subvolumes, or memory. */
export const engineKinds = ['image', 'subvolume', 'tmpfs'] as const;
export type EngineKind = (typeof engineKinds)[number];

/** The filesystem types a volume can show; which of them depends on the pool's engine. */
export const fsTypes = ['xfs', 'ext4', 'btrfs', 'tmpfs'] as const;
export type FsType = (typeof fsTypes)[number];
export type VolumeType = FsType | 'block';

/** Raw bytes for the pod, or a filesystem that Berth has made. */
export type VolumeUse =
  { readonly kind: 'block' } | { readonly kind: 'filesystem'; readonly type: FsType; readonly uuid: string };

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
  /** thick: all of its space is its own from the start. thin: space is taken as it is written. */
  readonly provisioning: 'thick' | 'thin';
  /** The parameters it was made with, for comparing a repeated request. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Mutable parameters (I/O limits), as last asked for. */
  readonly mutable: Readonly<Record<string, string>>;
  /** What it was made from, for comparing a repeated request. */
  readonly source?: ContentSource | undefined;
  /** Stored things that may share bytes have the same family: the ID of the volume they all descend from. */
  readonly family: string;
  /** The size before a growth that has not ended yet. */
  readonly grownFrom?: bigint | undefined;
  /** The claim it was made for, for people: csi-provisioner tells it. It takes no part in comparing requests. */
  readonly claim?: ClaimName | undefined;
  /** An inline ephemeral volume: the pod's target, with which it lives and dies. */
  readonly ephemeral?: string | undefined;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A PersistentVolumeClaim. */
export interface ClaimName {
  readonly namespace: string;
  readonly name: string;
}

/** A snapshot or volume by ID. */
export interface ContentSource {
  readonly kind: 'snapshot' | 'volume';
  readonly id: string;
}

/** How one capability of a request wants to use a volume. */
export interface WantedUse {
  readonly kind: 'block' | 'filesystem';
  /** Undefined when the request leaves the choice to us, and for block. */
  readonly fsType: FsType | undefined;
  readonly mountFlags: readonly string[];
  readonly mode: AccessMode;
}

/** Zero means not set, as in CSI. */
export interface CapacityRange {
  readonly required: bigint;
  readonly limit: bigint;
}

export const defaultBytes = GiB;

/** Sizes are whole sectors of the loop device. */
export const sectorBytes = 4096n;

/** `xfs`, `ext4` or `raw block`, for people. */
export function describeUse(use: { readonly kind: string; readonly type?: string }): string {
  return use.kind === 'block' ? 'raw block' : (use.type ?? 'filesystem');
}

/**
 * The folder of the pod an inline volume belongs to, or undefined for other volumes. Whoever finds it gone deletes the volume: the
 * kubelet removes it last of all, so there is no one left who would ask for that.
 */
export function podFolderOf({ ephemeral }: VolumeRecord): string | undefined {
  return ephemeral === undefined ? undefined : /^.*\/pods\/[^/]+(?=\/)/.exec(ephemeral)?.[0];
}
