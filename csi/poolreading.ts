/** Reads a pool without an agent: for `berth get` and `berth inspect` when none runs. Takes no lock and changes nothing. */
import { BerthError } from '../kit/errors.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { Placement } from './engine.ts';
import { Images } from './image/images.ts';
import { attachmentOf, placementOf } from './image/placement.ts';
import type { StorageKernel } from './kernel.ts';
import { poolFolders, readPoolIdentity } from './pool.ts';
import { placesIn } from './shownpool.ts';
import type { ShownPool } from './shownpool.ts';
import { readRecords } from './store.ts';
import { readTrash } from './trashrecords.ts';
import type { VolumeRecord } from './volume.ts';

export interface ReadPool {
  readonly pool: ShownPool;
  /** Sentences about what could not be read. */
  readonly warnings: readonly string[];
}

/** Throws NOT_FOUND when there is no pool in the folder, FAILED_PRECONDITION when its identity is damaged. */
export async function readPool(
  path: string,
  { mounts, loops, filesystems }: Pick<StorageKernel, 'mounts' | 'loops' | 'filesystems'>,
): Promise<ReadPool> {
  const identity = await readPoolIdentity(path);
  if (identity === undefined) {
    const sentence = `${path} is no pool: it has no pool.json; name the path of a pool of the NodeConfig`;
    throw new BerthError('NOT_FOUND', sentence);
  }
  const folders = poolFolders(path);
  const { volumes, snapshots, unreadable } = await readRecords(folders.meta, identity.id);
  const images = new Images(folders);
  const isImage = async (volume: VolumeRecord): Promise<boolean> => (await images.sizeOf(volume)) !== undefined;
  const look: ShownPool['look'] = async (volume) => {
    if (await isImage(volume)) return placementOf(await attachmentOf(volume, { images, loops, mounts }), volume);
    return shownAs(volume.id, path, await mounts.list());
  };
  const pool: ShownPool = {
    ...identity,
    name: path,
    path,
    folders,
    engine: undefined,
    volumes,
    snapshots,
    trash: await readTrash(folders.trash, identity.id),
    retentionMs: undefined,
    figures: () => Promise.reject(new BerthError('UNAVAILABLE', 'only an agent knows what it has promised')),
    placesOf: async (volume) => placesIn(await look(volume)),
    usageOf: async (volume, at) => {
      const isSubvolume = volume.use.kind === 'filesystem' && volume.use.type === 'btrfs' && !(await isImage(volume));
      if (!isSubvolume) return await filesystems.usage(at);
      throw new BerthError('UNSUPPORTED', 'a subvolume shows the figures of its whole pool; an agent knows its own');
    },
    reasons: undefined,
    reasonsOf: () => undefined,
    healthOf: () => Promise.resolve([]),
    look,
  };
  return { pool, warnings: unreadable.map(({ file, reason }) => `record ${file} cannot be read: ${reason}`) };
}

/** A subvolume is shown by binds of the folder with its ID, a volume in memory by mounts that have it for their source. */
function shownAs(id: string, pool: string, mounts: readonly MountEntry[]): Placement {
  const here = mounts.filter(
    ({ root, fsType, source, mountPoint }) =>
      !mountPoint.startsWith(`${pool}/`) &&
      (fsType === 'tmpfs' ? source === id : `${root}/`.includes(`/images/${id}/`)),
  );
  const places = here.map(({ mountPoint, options }) => ({ path: mountPoint, readonly: options.includes('ro') }));
  return { attached: places.length > 0, places };
}
