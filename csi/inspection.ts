/** Looks at pools for `berth get volumes|snapshots|pools|trash`: at records, the mount table and the size of files. Changes nothing. */
import { lstat } from 'node:fs/promises';
import { messageOf } from '../kit/errors.ts';
import type { Mounts } from '../linux/mount.ts';
import type { Stored } from './engine.ts';
import { Images } from './image/images.ts';
import { missingIsUndefined } from './missing.ts';
import type { PoolFolders } from './pool.ts';
import type { Places, ShownPool } from './shownpool.ts';
import { poolView, snapshotView, trashView, unreadableView, volumeView } from './views.ts';
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from './views.ts';
import type { VolumeRecord } from './volume.ts';

/** By pool, and in a pool by age. */
export async function lookAtVolumes(
  pools: readonly ShownPool[],
  mounts: Pick<Mounts, 'list'>,
): Promise<readonly VolumeView[]> {
  const mounted = new Set((await mounts.list()).map(({ mountPoint }) => mountPoint));
  const views: VolumeView[] = [];
  for (const pool of pools)
    for (const volume of byAge(pool.volumes)) {
      const places = await pool.placesOf(volume, mounted);
      const used = await usedIn(volume, places, pool);
      const allocated = await allocatedTo(volume, pool.folders);
      const reasons = pool.reasonsOf(volume);
      views.push(volumeView(volume, pool.name, { places, reasons, used, allocated }));
    }
  return views;
}

export async function lookAtSnapshots(pools: readonly ShownPool[]): Promise<readonly SnapshotView[]> {
  const views: SnapshotView[] = [];
  for (const pool of pools) {
    const volumes = new Map(pool.volumes.map((volume) => [volume.id, volume]));
    for (const snapshot of byAge(pool.snapshots)) {
      const allocated = await allocatedTo(snapshot, pool.folders);
      views.push(snapshotView(snapshot, pool.name, volumes.get(snapshot.sourceId), allocated));
    }
  }
  return views;
}

export async function lookAtPools(pools: readonly ShownPool[]): Promise<readonly StoragePoolView[]> {
  return await Promise.all(
    pools.map(async (pool) => {
      try {
        return poolView(pool, await pool.figures(), pool.reasons?.join(', ') ?? '');
      } catch (error) {
        return poolView(pool, undefined, messageOf(error));
      }
    }),
  );
}

/** What was deleted last stands last. */
export function lookAtTrash(pools: readonly ShownPool[]): readonly TrashView[] {
  return pools.flatMap(({ name, trash, retentionMs }) => [
    ...trash.entries.map((entry) => trashView(entry, name, retentionMs)),
    ...trash.unreadable.map(({ file, reason }) => unreadableView(file, reason, name)),
  ]);
}

function byAge<T extends { readonly id: string }>(objects: readonly T[]): readonly T[] {
  // IDs begin with their time.
  return objects.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** What the filesystem of a mounted volume counts as used. */
async function usedIn(
  volume: VolumeRecord,
  { staged, published }: Places,
  pool: ShownPool,
): Promise<bigint | undefined> {
  const path = published[0]?.path ?? staged;
  if (volume.use.kind === 'block' || path === '') return undefined;
  try {
    return (await pool.usageOf(volume, path)).bytes.used;
  } catch {
    // Unmounted since the table was read: nobody to ask.
    return undefined;
  }
}

/** What an image takes of the pool; undefined where the object is no file. */
async function allocatedTo(object: Stored, folders: PoolFolders): Promise<bigint | undefined> {
  const found = await missingIsUndefined(lstat(new Images(folders).of(object), { bigint: true }));
  return found?.isFile() === true ? found.blocks * 512n : undefined;
}
