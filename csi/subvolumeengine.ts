/**
 * The engine `subvolume`: a volume is a subvolume of the pool's btrfs, a snapshot a read-only one. They share bytes, and
 * snapshots, clones and growth take milliseconds; all have the pool's filesystem in common, and its settings.
 */
import { chmod, lstat, readdir, realpath, rename, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { BerthError } from '../kit/errors.ts';
import type { Subvolumes } from '../linux/btrfs.ts';
import { rootInode } from '../linux/btrfsioctl.ts';
import type { BtrfsQuotas } from '../linux/btrfsquota.ts';
import type { Filesystems } from '../linux/filesystem.ts';
import type { Mounts } from '../linux/mount.ts';
import { coveringMount } from '../linux/mountinfo.ts';
import { bindOptions } from './bindflags.ts';
import { forEachDespite } from './each.ts';
import type { Engine, EngineOffers, Placement, Stored } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import { missingIsUndefined } from './missing.ts';
import { poolOf } from './objectid.ts';
import type { Pool } from './pool.ts';
import { GiB, MiB } from './quantity.ts';
import { SubvolumeLimits } from './subvolumelimits.ts';
import { SubvolumeRemoval } from './subvolumeremoval.ts';

export interface SubvolumeEngineParts {
  readonly pool: Pick<Pool, 'name' | 'path' | 'folders'>;
  readonly mounts: Mounts;
  readonly filesystems: Filesystems;
  readonly subvolumes: Subvolumes;
  readonly quotas: BtrfsQuotas;
  readonly atPoint: AtPoint;
}

const offers: EngineOffers = {
  types: ['btrfs'],
  // Below that what the kernel keeps in hand for changes to the tree is a large part of it.
  minimumOf: () => 16n * MiB,
  copies: 'shared',
  freezes: false,
  thin: false,
  extents: false,
  volatile: false,
};

const rootMode = 0o755;

/**
 * Kept for what the kernel needs beside the volumes: it divides the space between files and its trees in pieces of a tenth of the
 * filesystem (1 GiB at most), of which the last of each kind may be nearly empty when no more can be had.
 */
function reserveOf(total: bigint): bigint {
  const fifth = total / 5n;
  return fifth < 3n * GiB ? fifth : 3n * GiB;
}

/** There a piece for trees is as large as one for files; in larger ones trees need less of the whole. */
const smallFilesystem = 16n * GiB;

function isSnapshot({ id }: Stored): boolean {
  return poolOf('snapshot', id) !== undefined;
}

/** Opens the engine of a pool. Throws FAILED_PRECONDITION when the pool does not lie on btrfs or has quotas of the wrong kind. */
export async function subvolumeEngine(parts: SubvolumeEngineParts): Promise<Engine> {
  const { mounts, filesystems, subvolumes, quotas, atPoint } = parts;
  const { name, path: poolPath, folders } = parts.pool;
  if (!(await subvolumes.isBtrfs(folders.images))) {
    const advice = 'mount one there (mkfs.btrfs DEVICE), or use `engine: image`';
    throw new BerthError('FAILED_PRECONDITION', `pool "${name}" at ${poolPath} does not lie on btrfs; ${advice}`);
  }
  const images = await realpath(folders.images);
  const holder = await subvolumes.holderOf(images);
  const { ino: imagesInode } = await stat(images, { bigint: true });
  const limits = new SubvolumeLimits({ subvolumes, quotas, folder: images });
  await limits.open(`pool "${name}"`);
  await keepRoomForTrees();
  const removal = new SubvolumeRemoval({ subvolumes, quotas, limits, trash: folders.trash });

  // IDs come from records, whose IDs were checked by pattern: they cannot leave the folder.
  const pathOf = (object: Stored): string => join(isSnapshot(object) ? folders.snapshots : folders.images, object.id);
  const trashOf = ({ id }: Stored): string => join(folders.trash, id);
  const idOf = (object: Stored): Promise<bigint | undefined> => missingIsUndefined(subvolumes.idOf(pathOf(object)));

  async function look({ id }: Stored): Promise<Placement> {
    const entries = await mounts.list();
    const pool = coveringMount(entries, images);
    if (pool === undefined) return { attached: false, places: [] };
    const root = join(pool.root, relative(pool.mountPoint, images), id);
    // Also parts of it: the kubelet shows those for `subPath`.
    const here = entries.filter(
      (mount) => mount.device === pool.device && (mount.root === root || mount.root.startsWith(`${root}/`)),
    );
    const places = here.map(({ mountPoint, options }) => ({ path: mountPoint, readonly: options.includes('ro') }));
    return { attached: places.length > 0, places, mount: here[0]?.id };
  }

  /** A read-only subvolume cannot change its parent, which is a thing it knows. */
  async function move(object: Stored, from: string, to: string): Promise<boolean> {
    const id = await missingIsUndefined(subvolumes.idOf(from));
    if (id === undefined) return false;
    await subvolumes.setReadonly(folders.trash, id, false);
    await rename(from, to);
    if (isSnapshot(object)) await subvolumes.setReadonly(folders.trash, id, true);
    await subvolumes.commit(folders.trash);
    return true;
  }

  return {
    kind: 'subvolume',
    offers,
    look,
    async create(volume, source) {
      const target = pathOf(volume);
      if (source === undefined) {
        await subvolumes.create(target);
        await chmod(target, rootMode);
      } else await subvolumes.snapshot({ source: pathOf(source), target, readonly: false });
      atPoint('create.allocated');
      await limits.set(await subvolumes.idOf(target), volume.bytes);
      atPoint('create.formatted');
      await subvolumes.commit(folders.images);
    },
    async snapshot(volume, snapshot) {
      await subvolumes.snapshot({ source: pathOf(volume), target: pathOf(snapshot), readonly: true });
      atPoint('snapshot.cloned');
    },
    async grow(volume) {
      await limits.set(await subvolumes.idOf(pathOf(volume)), volume.bytes);
      atPoint('grow.extended');
      await subvolumes.commit(folders.images);
    },
    // A snapshot is of one moment and has what was written until then: nobody needs to stop.
    freeze: () => Promise.resolve(false),
    thaw: () => Promise.resolve(),
    async discard(object) {
      await removal.destroy(pathOf(object));
      await removal.finish();
    },
    async moveToTrash(object) {
      // The kernel would let a mounted subvolume be moved, and even be destroyed.
      const { places } = await look(object);
      if (places.length > 0) throw new BerthError('BUSY', `${object.id} is mounted at ${places.length} places`);
      await move(object, pathOf(object), trashOf(object));
    },
    async emptyTrash(expired) {
      const ours = (await readdir(folders.trash)).filter(
        (file) => poolOf('volume', file) !== undefined || poolOf('snapshot', file) !== undefined,
      );
      await forEachDespite(ours.filter(expired), (file) => removal.destroy(join(folders.trash, file))).finally(() =>
        removal.finish(),
      );
    },
    async restoreFromTrash(object) {
      if (await move(object, trashOf(object), pathOf(object))) return;
      if ((await idOf(object)) !== undefined) return;
      throw new BerthError('NOT_FOUND', `${object.id} is not in the trash of pool "${name}"`);
    },
    async stage(volume, folder, flags) {
      const options = bindOptions('subvolume', flags);
      const id = await subvolumes.idOf(pathOf(volume));
      await limits.set(id, volume.bytes);
      // A pod that owns the root may have made it read-only: the next one shall find what it was promised.
      await subvolumes.setReadonly(folders.images, id, false);
      atPoint('stage.attached');
      await mounts.bind({ source: pathOf(volume), target: folder, readonly: false, options });
      atPoint('stage.mounted');
      return undefined;
    },
    unmount: (path) => mounts.unmount(path),
    detach: () => Promise.resolve(),
    async publish(_, { staging, target, readonly }) {
      await mounts.bind({ source: staging, target, readonly });
      atPoint('publish.bound');
    },
    async sizeOf(object) {
      const id = await idOf(object);
      if (id === undefined) return undefined;
      if (isSnapshot(object)) return object.bytes;
      const limit = await limits.of(id);
      if (limit !== undefined) return limit;
      // Quotas were switched off and on again, and limits with them.
      await limits.set(id, object.bytes);
      return object.bytes;
    },
    async usage(volume) {
      const used = await limits.used(await subvolumes.idOf(pathOf(volume)), volume.bytes);
      const { bytes, inodes } = await filesystems.usage(folders.images);
      const own = used < volume.bytes ? volume.bytes - used : 0n;
      const available = own < bytes.available ? own : bytes.available;
      return { bytes: { total: volume.bytes, used, available }, inodes };
    },
    async space() {
      const { bytes } = await filesystems.usage(folders.images);
      const isVolume = (link: { parent: bigint; folder: bigint }): boolean =>
        link.parent === holder && link.folder === imagesInode;
      const { data, metadata } = await subvolumes.copies(images);
      // A volume of small files is nearly all metadata, of which its quota counts one copy.
      const extra = metadata > data ? ([BigInt(data), BigInt(metadata)] as const) : ([1n, 1n] as const);
      const promisable = ((bytes.available - reserveOf(bytes.total)) * extra[0]) / extra[1];
      const available = promisable - (await limits.outstanding(isVolume));
      return { total: bytes.total, available: available < 0n ? 0n : available };
    },
    extents: () => Promise.reject(new BerthError('UNSUPPORTED', 'the engine "subvolume" does not list extents')),
    async strangers(objects) {
      const known = new Set(objects.map(pathOf));
      const found: { file: string; bytes: bigint }[] = [];
      for (const folder of [folders.images, folders.snapshots])
        for (const file of await readdir(folder)) {
          const path = join(folder, file);
          if (!known.has(path)) found.push({ file, bytes: await bytesOf(path) });
        }
      return found;
    },
  };

  /** Unless whoever has mounted it says otherwise. */
  async function keepRoomForTrees(): Promise<void> {
    const mount = coveringMount(await mounts.listNow(), images);
    if (mount === undefined || mount.superOptions.some((option) => option.startsWith('metadata_ratio='))) return;
    const { total } = (await filesystems.usage(images)).bytes;
    // A kernel that refuses keeps the pool from nothing: its promises are then less certain when all is written.
    await subvolumes.takeForTrees(mount.mountPoint, total < smallFilesystem ? 4 : 16).catch(() => undefined);
  }

  async function bytesOf(path: string): Promise<bigint> {
    const { size, ino } = await lstat(path, { bigint: true });
    if (ino !== rootInode) return size;
    return (await quotas.group(images, await subvolumes.idOf(path)))?.referenced ?? 0n;
  }
}
