/** A pool as it is shown: the agent's own, or a folder that is read while no agent runs. Whoever shows it changes nothing. */
import type { FilesystemUsage } from '../linux/filesystem.ts';
import type { Placement } from './engine.ts';
import type { HealthReason, HealthStatus } from './health.ts';
import type { VolumeNodeState } from './nodestate.ts';
import type { PoolFolders } from './pool.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { TrashContent } from './trashrecords.ts';
import type { EngineKind, VolumeRecord } from './volume.ts';

export interface ShownPool {
  /** In the configuration; a folder that is read without one is named by its path. */
  readonly name: string;
  readonly id: string;
  readonly node: string;
  readonly path: string;
  readonly folders: PoolFolders;
  /** Undefined where nobody says it: it is in the configuration, not in the pool. */
  readonly engine: EngineKind | undefined;
  /** In any state, as snapshots are. */
  readonly volumes: readonly VolumeRecord[];
  readonly snapshots: readonly SnapshotRecord[];
  readonly trash: Pick<TrashContent, 'entries' | 'unreadable'>;
  /** Undefined where nobody says it. */
  readonly retentionMs: number | undefined;
  /** Throws when the disk does not answer. */
  figures(): Promise<PoolFigures>;
  /** Where the volume is, quickly: there may be a thousand to tell of. `mounted` are the mount points of the node. */
  placesOf(volume: VolumeRecord, mounted: ReadonlySet<string>): Promise<Places>;
  /** Figures of a filesystem volume that is mounted at the path. */
  usageOf(volume: VolumeRecord, path: string): Promise<FilesystemUsage>;
  /** What was wrong with it at the last look, in stable words; undefined before the first, as for its volumes. */
  readonly reasons: readonly HealthReason[] | undefined;
  reasonsOf(volume: VolumeRecord): readonly HealthReason[] | undefined;
  /** What is wrong now with a volume that was found at `placement`; nothing where nobody knows. */
  healthOf(volume: VolumeRecord, placement: Placement): Promise<readonly HealthStatus[]>;
  /** Where the volume is, as the kernel says it. */
  look(volume: VolumeRecord): Promise<Placement>;
}

/** Where a volume is staged (empty: nowhere) and published. */
export interface Places {
  readonly staged: string;
  readonly published: readonly ShownPlace[];
}

export interface ShownPlace {
  readonly path: string;
  readonly readonly: boolean;
  /** The pod, where it was told with the call. */
  readonly pod?: { readonly namespace: string; readonly name: string } | undefined;
}

/** In bytes. */
export interface PoolFigures {
  /** The filesystem it lies on, and what that has left. */
  readonly size: bigint;
  readonly free: bigint;
  /** What volumes and snapshots are promised together. */
  readonly reserved: bigint;
  /** The largest volume that can be made now. */
  readonly available: bigint;
  /** What deleted volumes and snapshots still take. */
  readonly trash: bigint;
}

/** The kubelet stages below its plugins and publishes below its pods. */
export function placesIn({ places }: Placement): Places {
  const isStaging = ({ path }: { readonly path: string }): boolean => path.includes('/plugins/kubernetes.io/csi/');
  return { staged: places.find(isStaging)?.path ?? '', published: places.filter((place) => !isStaging(place)) };
}

/** Those of the remembered places that are mounted; where raw block is staged nothing is. */
export function mountedPlaces(
  { use }: VolumeRecord,
  { staged, published }: VolumeNodeState,
  mounted: ReadonlySet<string>,
): Places {
  return {
    staged: staged !== undefined && (use.kind === 'block' || mounted.has(staged.path)) ? staged.path : '',
    published: published.filter(({ path }) => mounted.has(path)),
  };
}
