/** `berth inspect`: everything about one volume or snapshot, of its record, its bytes and the kernel. Changes nothing. */
import { lstat } from 'node:fs/promises';
import { relative } from 'node:path';
import { BerthError, messageOf } from '../kit/errors.ts';
import type { FilesystemUsage } from '../linux/filesystem.ts';
import type { Placement, Stored, VolumeDevice } from './engine.ts';
import type { HealthStatus } from './health.ts';
import { Images } from './image/images.ts';
import { missingIsUndefined } from './missing.ts';
import { placesIn } from './shownpool.ts';
import type { Places, ShownPlace, ShownPool } from './shownpool.ts';
import type { Trashed } from './trashrecords.ts';
import { snapshotView, trashView, volumeView } from './views.ts';
import type { SnapshotView, VolumeView } from './views.ts';
import type { VolumeRecord } from './volume.ts';

/** What a volume and a snapshot have in common. */
interface Details {
  readonly poolId: string;
  /** Empty where nobody says it. */
  readonly engine: string;
  readonly node: string;
  readonly poolPath: string;
  /** Of the filesystem; empty for raw block. */
  readonly uuid: string;
  /** Things of one family may share bytes. */
  readonly family: string;
  /** In the pool's folder; null when there is none: it is missing, or the pool keeps no files. */
  readonly file: { readonly path: string; readonly size: number; readonly allocated: number } | null;
  /** Empty unless it lies in the trash. */
  readonly deletedAt: string;
  readonly expiresAt: string;
  /** What could not be found out. */
  readonly problems: readonly string[];
}

export interface InspectedVolume extends VolumeView, Details {
  readonly kind: 'volume';
  /** Those of its StorageClass. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Those of its VolumeAttributesClass. */
  readonly limits: Readonly<Record<string, string>>;
  readonly ephemeral: boolean;
  /** The size before a growth that has not ended; null when there is none. */
  readonly grownFrom: number | null;
  readonly attached: boolean;
  /** What is wrong with it, worst first. */
  readonly health: readonly HealthStatus[];
  readonly device: VolumeDevice | null;
  /** Null where it is not mounted. */
  readonly filesystem: { readonly bytes: Figures; readonly inodes: Figures } | null;
  readonly snapshots: readonly string[];
}

export interface InspectedSnapshot extends SnapshotView, Details {
  readonly kind: 'snapshot';
}

interface Figures {
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

interface Found {
  readonly pool: ShownPool;
  readonly object: Stored;
  readonly trashed?: Trashed;
}

/**
 * The object of that ID, of that name (a PersistentVolume's), or of the claim `namespace/name`; where both something that lives and
 * something in the trash is called so, what is preferred. Throws NOT_FOUND, INVALID_ARGUMENT where several have the name.
 */
export function findObject(pools: readonly ShownPool[], asked: string, preferred: 'living' | 'trashed'): Found {
  const isMeant = (object: Stored): boolean => {
    const claim =
      'claim' in object && object.claim !== undefined ? `${object.claim.namespace}/${object.claim.name}` : '';
    return asked !== '' && [object.id, object.name, claim].includes(asked);
  };
  const living = pools.flatMap((pool): Found[] =>
    [...pool.volumes, ...pool.snapshots].filter(isMeant).map((object) => ({ pool, object })),
  );
  const dead = pools.flatMap((pool): Found[] =>
    pool.trash.entries
      .filter(({ object }) => isMeant(object))
      .map((trashed) => ({ pool, object: trashed.object, trashed })),
  );
  const [first, second] = preferred === 'living' ? [living, dead] : [dead, living];
  const found = first.length > 0 ? first : second;
  const [only] = found;
  if (only === undefined)
    throw new BerthError(
      'NOT_FOUND',
      'this node has no volume or snapshot of that ID, name or claim; see berth get volumes, snapshots and trash',
    );
  if (found.length === 1) return only;
  const ids = found.map(({ object }) => object.id).join(', ');
  throw new BerthError('INVALID_ARGUMENT', `several have that name: ${ids}; ask for one of them by its ID`);
}

/** Throws as `findObject` does. What cannot be looked at is among the problems. */
export async function inspectObject(
  pools: readonly ShownPool[],
  asked: string,
): Promise<InspectedVolume | InspectedSnapshot> {
  const { pool, object, trashed } = findObject(pools, asked, 'living');
  const problems: string[] = [];
  const attempt = async <T>(what: string, look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      problems.push(`${what}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const file = trashed === undefined ? ((await attempt('its bytes', () => fileOf(pool, object))) ?? null) : null;
  const details: Details = {
    poolId: pool.id,
    engine: pool.engine ?? '',
    node: pool.node,
    poolPath: pool.path,
    uuid: object.use.kind === 'block' ? '' : object.use.uuid,
    family: object.family,
    file,
    ...times(trashed, pool),
    problems,
  };
  const allocated = file === null ? undefined : BigInt(file.allocated);
  if ('sourceId' in object) {
    const source = pool.volumes.find(({ id }) => id === object.sourceId);
    return { kind: 'snapshot', ...snapshotView(object, pool.name, source, allocated), ...details };
  }
  const nowhere: Placement = { attached: false, places: [] };
  const placement =
    trashed === undefined ? ((await attempt('where it is', () => pool.look(object))) ?? nowhere) : nowhere;
  const [place] = object.use.kind === 'block' ? [] : placement.places;
  const health =
    trashed === undefined ? await attempt('its health', () => pool.healthOf(object, placement)) : undefined;
  const usage = place === undefined ? undefined : await attempt('its use', () => pool.usageOf(object, place.path));
  const places = await placesAt(placement, object, pool);
  const reasons = health?.map(({ reason }) => reason);
  return {
    kind: 'volume',
    ...volumeView(object, pool.name, { places, reasons, used: usage?.bytes.used, allocated }),
    ...details,
    parameters: object.parameters,
    limits: object.mutable,
    ephemeral: object.ephemeral !== undefined,
    grownFrom: object.grownFrom === undefined ? null : Number(object.grownFrom),
    attached: placement.attached,
    health: health ?? [],
    device: placement.device ?? null,
    filesystem: usage === undefined ? null : { bytes: figures(usage.bytes), inodes: figures(usage.inodes) },
    snapshots: pool.snapshots.filter(({ sourceId }) => sourceId === object.id).map(({ id }) => id),
  };
}

/** The places of the kernel, and what is remembered of them: the pods, and where raw block is staged without a mount. */
async function placesAt(placement: Placement, volume: VolumeRecord, pool: ShownPool): Promise<Places> {
  const { staged, published } = placesIn(placement);
  const remembered = await pool.placesOf(volume, new Set(placement.places.map(({ path }) => path)));
  const podAt = (path: string): ShownPlace['pod'] => remembered.published.find((known) => known.path === path)?.pod;
  return {
    staged: staged === '' ? remembered.staged : staged,
    published: published.map((place) => ({ ...place, pod: podAt(place.path) })),
  };
}

function times(trashed: Trashed | undefined, pool: ShownPool): Pick<Details, 'deletedAt' | 'expiresAt'> {
  if (trashed === undefined) return { deletedAt: '', expiresAt: '' };
  const { deletedAt, expiresAt } = trashView(trashed, pool.name, pool.retentionMs);
  return { deletedAt, expiresAt };
}

async function fileOf(pool: ShownPool, object: Stored): Promise<Details['file']> {
  const path = new Images(pool.folders).of(object);
  const found = await missingIsUndefined(lstat(path, { bigint: true }));
  if (found?.isFile() !== true) return null;
  return { path: relative(pool.path, path), size: Number(found.size), allocated: Number(found.blocks * 512n) };
}

function figures({ total, used, available }: FilesystemUsage['bytes']): Figures {
  return { total: Number(total), used: Number(used), available: Number(available) };
}
