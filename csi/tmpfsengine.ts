/**
 * The engine `tmpfs`: a volume is a tmpfs of its size. It is mounted once, in the pool, where no unstaging and no restart of the
 * agent takes it away, and shown from there by binds. Its bytes end with the boot: the next stage then makes an empty one.
 */
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { syncFolder } from '../kit/durablefile.ts';
import { BerthError } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Filesystems } from '../linux/filesystem.ts';
import type { Mounts } from '../linux/mount.ts';
import { coveringMount } from '../linux/mountinfo.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import { bindOptions } from './bindflags.ts';
import { forEachDespite } from './each.ts';
import type { Engine, EngineOffers, Placement, Stored } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import { missingIsUndefined } from './missing.ts';
import { poolOf } from './objectid.ts';
import type { Pool } from './pool.ts';
import { MiB } from './quantity.ts';
import type { VolumeRecord } from './volume.ts';

export interface TmpfsEngineParts {
  readonly pool: Pick<Pool, 'name' | 'path' | 'folders'>;
  readonly mounts: Mounts;
  readonly filesystems: Filesystems;
  readonly atPoint: AtPoint;
}

const offers: EngineOffers = {
  types: ['tmpfs'],
  minimumOf: () => MiB,
  copies: 'none',
  freezes: false,
  thin: false,
  extents: false,
  volatile: true,
};

/** As many inodes as mkfs.ext4 would make; each takes memory that the size does not count. */
const bytesPerInode = 16384n;
const leastInodes = 1024n;

function sizeOptions({ bytes }: VolumeRecord): readonly string[] {
  const inodes = bytes / bytesPerInode;
  // On a remount the kernel also takes what is said of the mount itself.
  return ['nosuid', 'nodev', `size=${bytes}`, `nr_inodes=${inodes < leastInodes ? leastInodes : inodes}`];
}

/** A tmpfs is rounded up to whole pages, which have up to 64 KiB. */
function hasSize(total: bigint, bytes: bigint): boolean {
  return total >= bytes && total - bytes < 65536n;
}

function unsupported(): Promise<never> {
  return Promise.reject(new BerthError('UNSUPPORTED', 'the engine "tmpfs" cannot do that'));
}

/**
 * Opens the engine of a pool. Throws FAILED_PRECONDITION when mounts in the pool's folder would end with this process's
 * container, and the volumes with them.
 */
export async function tmpfsEngine({ pool, mounts, filesystems, atPoint }: TmpfsEngineParts): Promise<Engine> {
  const { folders } = pool;
  const covering = coveringMount(await mounts.listNow(), folders.images);
  if (covering?.tags.some((tag) => tag.startsWith('shared:')) !== true) {
    const advice = 'mount it with mountPropagation: Bidirectional';
    throw new BerthError(
      'FAILED_PRECONDITION',
      `pool "${pool.name}": ${pool.path} is not a shared mount, so volumes in memory would be lost with the agent; ${advice}`,
    );
  }

  const freeing = new KeyedLock();
  // IDs come from records, whose IDs were checked by pattern: they cannot leave the folder.
  const homeOf = (id: string): string => join(folders.images, id);
  const trashOf = (id: string): string => join(folders.trash, id);
  /**
   * What pods are shown: not the whole filesystem, for the kubelet unstages nothing while the same root of a filesystem is mounted
   * anywhere else, as this one always is at its home.
   */
  const contentOf = (id: string): string => join(homeOf(id), 'data');
  const exists = async (folder: string): Promise<boolean> => (await missingIsUndefined(stat(folder))) !== undefined;

  /** Where the volume's filesystem is mounted, its home among them. The ID is its source: nobody else's tmpfs has that name. */
  async function mountsOf(id: string): Promise<readonly MountEntry[]> {
    return (await mounts.list()).filter((mount) => mount.fsType === 'tmpfs' && mount.source === id);
  }

  async function isAt(id: string, folder: string): Promise<boolean> {
    return (await mountsOf(id)).some(({ mountPoint }) => mountPoint === folder);
  }

  async function look({ id }: Stored): Promise<Placement> {
    const own = [homeOf(id), trashOf(id)];
    const shown = (await mountsOf(id)).filter(({ mountPoint }) => !own.includes(mountPoint));
    const places = shown.map(({ mountPoint, options }) => ({ path: mountPoint, readonly: options.includes('ro') }));
    return { attached: places.length > 0, places, mount: shown[0]?.id };
  }

  /** Makes the filesystem where it is missing, and gives it its size where it has another. */
  async function mountHome(volume: VolumeRecord): Promise<void> {
    const home = homeOf(volume.id);
    const there = await mountsOf(volume.id);
    if (there.length === 0) {
      const options = ['mode=0755', ...sizeOptions(volume)];
      await mounts.mount({ source: volume.id, target: home, fsType: 'tmpfs', options });
    } else if (!there.some(({ mountPoint }) => mountPoint === home)) {
      const advice = 'they go on with it, and its bytes end with the last of them';
      throw new BerthError(
        'BUSY',
        `somebody has unmounted volume ${volume.id} in its pool while pods use it: ${advice}`,
      );
    } else if (!hasSize(await bytesAt(home), volume.bytes)) {
      await mounts.remount({ target: home, options: sizeOptions(volume) });
    }
    await mkdir(contentOf(volume.id), { recursive: true, mode: 0o755 });
  }

  async function bytesAt(folder: string): Promise<bigint> {
    return (await filesystems.usage(folder)).bytes.total;
  }

  /** One at a time: two that empty the trash at once would take away each other's mounts. */
  async function free(id: string, folder: string): Promise<void> {
    await freeing.run(folder, async () => {
      while (await isAt(id, folder)) await mounts.unmount(folder);
      await missingIsUndefined(rmdir(folder));
    });
  }

  /** Moves the filesystem (if there is one since the boot) and its folder. */
  async function move(id: string, from: string, to: string): Promise<void> {
    await mkdir(to, { recursive: true, mode: 0o700 });
    if ((await isAt(id, from)) && !(await isAt(id, to)))
      await mounts.bind({ source: from, target: to, readonly: false });
    await free(id, from);
    await syncFolder(folders.trash);
    await syncFolder(folders.images);
  }

  return {
    kind: 'tmpfs',
    offers,
    look,
    async create(volume, source) {
      if (source !== undefined) return await unsupported();
      await mkdir(homeOf(volume.id), { mode: 0o700 });
      atPoint('create.allocated');
      await mountHome(volume);
      atPoint('create.formatted');
      await syncFolder(folders.images);
    },
    snapshot: unsupported,
    async grow(volume) {
      if ((await mountsOf(volume.id)).length > 0) await mountHome(volume);
    },
    freeze: () => Promise.resolve(false),
    thaw: () => Promise.resolve(),
    async discard({ id }) {
      await free(id, homeOf(id));
      await syncFolder(folders.images);
    },
    async moveToTrash(object) {
      const { places } = await look(object);
      if (places.length > 0) throw new BerthError('BUSY', `${object.id} is mounted at ${places.length} places`);
      if (await exists(homeOf(object.id))) await move(object.id, homeOf(object.id), trashOf(object.id));
    },
    async emptyTrash(expired) {
      const ours = (await readdir(folders.trash)).filter((id) => poolOf('volume', id) !== undefined);
      await forEachDespite(ours.filter(expired), (id) => free(id, trashOf(id)));
    },
    async restoreFromTrash({ id }) {
      if (await isAt(id, trashOf(id))) await move(id, trashOf(id), homeOf(id));
      else if (!(await isAt(id, homeOf(id))))
        throw new BerthError('NOT_FOUND', `${id} is not in memory any more: its bytes ended with the boot`);
    },
    async stage(volume, folder, flags) {
      const options = bindOptions('tmpfs', flags);
      await mountHome(volume);
      atPoint('stage.attached');
      await mounts.bind({ source: contentOf(volume.id), target: folder, readonly: false, options });
      atPoint('stage.mounted');
      return undefined;
    },
    unmount: (path) => mounts.unmount(path),
    // It stays at its home: its bytes are for the next pod, too.
    detach: () => Promise.resolve(),
    async publish(_, { staging, target, readonly }) {
      await mounts.bind({ source: staging, target, readonly });
      atPoint('publish.bound');
    },
    async sizeOf({ id, bytes }) {
      if (!(await exists(homeOf(id)))) return undefined;
      // After a boot there is none until the next stage; it will have the size of the record.
      if (!(await isAt(id, homeOf(id)))) return bytes;
      const total = await bytesAt(homeOf(id));
      return hasSize(total, bytes) ? bytes : total;
    },
    // What is free now says nothing of later: pods come and go, and the kernel charges a volume's bytes to who writes them.
    space: () => Promise.resolve({ total: BigInt(totalmem()), available: BigInt(totalmem()) }),
    extents: unsupported,
    async strangers(objects) {
      const known = new Set(objects.map(({ id }) => id));
      return (await readdir(folders.images)).filter((file) => !known.has(file)).map((file) => ({ file, bytes: 0n }));
    },
  };
}
