/**
 * What `berth get volumes|snapshots|pools|trash` and `berth inspect` show: plain values with stable names. Sizes are numbers of
 * bytes, exact because they are multiples of 4096.
 */
import { poolOf } from './objectid.ts';
import type { Places, PoolFigures, ShownPlace, ShownPool } from './shownpool.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { EngineKind, VolumeRecord, VolumeType } from './volume.ts';

export interface StoragePoolView {
  /** `berth get pools` shows those of addresses beside them. */
  readonly kind: 'storage';
  readonly name: string;
  /** The part of its volumes' IDs that tells them from others. */
  readonly id: string;
  /** Empty where nobody says it. */
  readonly engine: EngineKind | '';
  readonly path: string;
  /** As in `PoolFigures`; null when they could not be read. */
  readonly size: number | null;
  readonly free: number | null;
  readonly reserved: number | null;
  readonly available: number | null;
  readonly trash: number | null;
  readonly volumes: number;
  readonly snapshots: number;
  /** What is wrong with it, in stable words, or why its figures are not known; empty when it is well. */
  readonly reason: string;
}

/** `reason` is what is wrong with it. */
export function poolView(
  pool: Pick<ShownPool, 'name' | 'id' | 'engine' | 'path' | 'volumes' | 'snapshots'>,
  figures: PoolFigures | undefined,
  reason: string,
): StoragePoolView {
  return {
    kind: 'storage',
    name: pool.name,
    id: pool.id,
    engine: pool.engine ?? '',
    path: pool.path,
    size: numberOf(figures?.size),
    free: numberOf(figures?.free),
    reserved: numberOf(figures?.reserved),
    available: numberOf(figures?.available),
    trash: numberOf(figures?.trash),
    volumes: pool.volumes.length,
    snapshots: pool.snapshots.length,
    reason,
  };
}

/** Where a volume is shown. */
export interface PlaceView {
  readonly path: string;
  readonly readonly: boolean;
  /** `namespace/name`, or the UID of the pod whose folder that is where nobody told its name; empty for other folders. */
  readonly pod: string;
}

export interface VolumeView {
  readonly id: string;
  /** The CO's name: of a claim's volume the name of its PersistentVolume. */
  readonly name: string;
  /** `namespace/name`; empty when nobody told. */
  readonly claim: string;
  readonly pool: string;
  readonly type: VolumeType;
  readonly size: number;
  /** What its filesystem counts as used; null where it is not mounted, and for raw block. */
  readonly used: number | null;
  /** What it takes of the pool; null when that cannot be told. */
  readonly allocated: number | null;
  readonly provisioning: 'thick' | 'thin';
  readonly state: string;
  /** What was wrong with it when it was last looked at, in stable words; null before that. */
  readonly reasons: readonly string[] | null;
  /** Where it is staged; empty when it is not. */
  readonly staged: string;
  readonly published: readonly PlaceView[];
  /** `snapshot s1-…` or `volume v1-…`; empty for one that was made empty. */
  readonly source: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A volume with which something is wrong, as it was last looked at. */
export interface IllVolumeView {
  readonly name: string;
  /** `namespace/name`; empty when nobody told. */
  readonly claim: string;
  /** In stable words, at least one. */
  readonly reasons: readonly string[];
}

/** What was seen of a volume beside its record. */
export interface SeenVolume {
  readonly places: Places;
  readonly reasons: readonly string[] | undefined;
  readonly used: bigint | undefined;
  readonly allocated: bigint | undefined;
}

export function volumeView(record: VolumeRecord, pool: string, seen: SeenVolume): VolumeView {
  const { id, name, claim, bytes, use, provisioning, state, source, createdAt } = record;
  return {
    id,
    name,
    claim: claimText(claim),
    pool,
    type: use.kind === 'block' ? 'block' : use.type,
    size: Number(bytes),
    used: numberOf(seen.used),
    allocated: numberOf(seen.allocated),
    provisioning,
    state,
    reasons: seen.reasons ?? null,
    staged: seen.places.staged,
    published: seen.places.published.map(placeView),
    source: source === undefined ? '' : `${source.kind} ${source.id}`,
    createdAt,
  };
}

export interface SnapshotView {
  readonly id: string;
  readonly name: string;
  readonly pool: string;
  /** The volume it was taken of, which may be gone. */
  readonly source: string;
  /** The claim of that volume while it is there. */
  readonly claim: string;
  readonly type: VolumeType;
  readonly size: number;
  readonly allocated: number | null;
  /** Empty unless it was taken with others. */
  readonly group: string;
  /** Whether space is reserved for all of it. */
  readonly reserved: boolean;
  readonly state: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** `source` is the volume it was taken of, while that is there. */
export function snapshotView(
  record: SnapshotRecord,
  pool: string,
  source: VolumeRecord | undefined,
  allocated: bigint | undefined,
): SnapshotView {
  const { id, name, sourceId, bytes, use, groupId, reserved, state, createdAt } = record;
  return {
    id,
    name,
    pool,
    source: sourceId,
    claim: claimText(source?.claim),
    type: use.kind === 'block' ? 'block' : use.type,
    size: Number(bytes),
    allocated: numberOf(allocated),
    group: groupId ?? '',
    reserved,
    state,
    createdAt,
  };
}

export interface TrashView {
  readonly id: string;
  /** `unreadable`: its record is damaged; it stays until somebody repairs or removes it. */
  readonly kind: 'volume' | 'snapshot' | 'unreadable';
  readonly name: string;
  readonly claim: string;
  readonly pool: string;
  readonly type: VolumeType | '';
  readonly size: number;
  /** ISO 8601, as all times; empty when unknown. */
  readonly deletedAt: string;
  /** When it is removed at the latest. */
  readonly expiresAt: string;
  /** Why it is unreadable. */
  readonly reason: string;
}

export function trashView(
  { object, deletedAt }: { readonly object: VolumeRecord | SnapshotRecord; readonly deletedAt: number },
  pool: string,
  retentionMs: number | undefined,
): TrashView {
  const { id, name, bytes, use } = object;
  return {
    id,
    kind: poolOf('volume', id) === undefined ? 'snapshot' : 'volume',
    name,
    claim: claimText('claim' in object ? object.claim : undefined),
    pool,
    type: use.kind === 'block' ? 'block' : use.type,
    size: Number(bytes),
    deletedAt: new Date(deletedAt).toISOString(),
    expiresAt: retentionMs === undefined ? '' : new Date(deletedAt + retentionMs).toISOString(),
    reason: '',
  };
}

export function unreadableView(file: string, reason: string, pool: string): TrashView {
  const unknown = { name: '', claim: '', type: '', size: 0, deletedAt: '', expiresAt: '' } as const;
  return { id: file.replace(/\.json$/, ''), kind: 'unreadable', pool, ...unknown, reason };
}

export function claimText(claim: VolumeRecord['claim']): string {
  return claim === undefined ? '' : `${claim.namespace}/${claim.name}`;
}

function numberOf(bytes: bigint | undefined): number | null {
  return bytes === undefined ? null : Number(bytes);
}

function placeView({ path, readonly, pod }: ShownPlace): PlaceView {
  // The kubelet's targets lie below `pods/<UID>/`.
  const uid = /\/pods\/([0-9a-f-]{36})\//.exec(path)?.[1] ?? '';
  return { path, readonly, pod: pod === undefined ? uid : `${pod.namespace}/${pod.name}` };
}
