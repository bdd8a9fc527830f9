/** The engine `image`: a volume is a file in the pool, fully allocated, attached as a loop device with direct I/O. */
import { lstat, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../kit/durablefile.ts';
import { BerthError, errnoOf } from '../kit/errors.ts';
import type { Filesystems } from '../linux/filesystem.ts';
import { SystemCallError } from '../linux/libc.ts';
import type { LoopDevice, LoopDevices } from '../linux/loop.ts';
import type { Mounts } from '../linux/mount.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { Engine, EngineOffers, Placement, Stored } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import type { PoolFolders } from './pool.ts';
import type { VolumeRecord } from './volume.ts';
import { poolOf } from './objectid.ts';
import { MiB } from './quantity.ts';

export interface ImageEngineParts {
  readonly folders: PoolFolders;
  readonly mounts: Mounts;
  readonly loops: LoopDevices;
  readonly filesystems: Filesystems;
  readonly atPoint: AtPoint;
}

const suffix = '.img';

/** mkfs.xfs refuses less than 300 MiB; ext4 needs room for its journal; blocks are counted in MiB. */
const minima: Readonly<Record<string, bigint>> = { xfs: 300n * MiB, ext4: 32n * MiB, block: 1n * MiB };

const offers: EngineOffers = {
  types: ['xfs', 'ext4', 'block'],
  minimumOf: (type) => minima[type] ?? 0n,
  copies: 'none',
  thin: false,
  extents: false,
  volatile: false,
};

function unsupported(): Promise<never> {
  return Promise.reject(new BerthError('UNSUPPORTED', 'the engine "image" cannot do that'));
}

/** A mount shows the device if its filesystem lies on it, or if it is a bind of the device's node. */
function shows(mount: MountEntry, volume: VolumeRecord, device: LoopDevice): boolean {
  if (volume.use.kind === 'filesystem') return mount.device === device.device;
  return mount.root === `/loop${device.number}` && (mount.fsType === 'devtmpfs' || mount.fsType === 'tmpfs');
}

async function missingIsUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function imageEngine({ folders, mounts, loops, filesystems, atPoint }: ImageEngineParts): Engine {
  // IDs come from records, whose IDs were checked by pattern: they cannot leave the folder.
  const imageOf = ({ id }: Stored): string =>
    join(poolOf('snapshot', id) === undefined ? folders.images : folders.snapshots, `${id}${suffix}`);
  const deviceOf = (volume: VolumeRecord): Promise<LoopDevice | undefined> =>
    missingIsUndefined(loops.find(imageOf(volume)));

  async function look(volume: VolumeRecord): Promise<Placement> {
    const device = await deviceOf(volume);
    if (device === undefined) return { attached: false, places: [] };
    const here = (await mounts.list()).filter((mount) => shows(mount, volume, device));
    const places = here.map(({ mountPoint, options }) => ({ path: mountPoint, readonly: options.includes('ro') }));
    return { attached: true, places };
  }

  /** Never mounts what Berth has not made: a foreign superblock is an attack on the kernel, a wrong one is a mix-up. */
  async function mountFilesystem(
    volume: VolumeRecord,
    device: LoopDevice,
    folder: string,
    flags: readonly string[],
  ): Promise<void> {
    if (volume.use.kind !== 'filesystem') return;
    const { type, uuid } = volume.use;
    const content = await filesystems.identify(device.path);
    if (content.kind !== 'filesystem' || content.type !== type || content.uuid !== uuid) {
      const found = content.kind === 'filesystem' ? `${content.type} ${content.uuid}` : content.kind;
      throw new BerthError(
        'FAILED_PRECONDITION',
        `volume ${volume.id} should hold ${type} ${uuid} but holds: ${found}; it is neither mounted nor formatted`,
      );
    }
    // A clone has its source's UUID, which XFS refuses to mount beside the source.
    const own = type === 'xfs' ? ['nosuid', 'nodev', 'nouuid'] : ['nosuid', 'nodev'];
    try {
      await mounts.mount({ source: device.path, target: folder, fsType: type, options: [...own, ...flags] });
    } catch (error) {
      if (!(error instanceof SystemCallError) || error.code !== 'EINVAL' || flags.length === 0) throw error;
      throw new BerthError('FAILED_PRECONDITION', `${type} refuses the mount flags ${flags.join(',')}`, {
        cause: error,
      });
    }
  }

  return {
    kind: 'image',
    offers,
    snapshot: unsupported,
    grow: unsupported,
    freeze: unsupported,
    thaw: unsupported,
    restoreFromTrash: unsupported,
    extents: unsupported,
    async create(volume) {
      const image = imageOf(volume);
      await filesystems.allocate(image, volume.bytes);
      atPoint('create.allocated');
      const { use } = volume;
      if (use.kind === 'filesystem' && use.type !== 'tmpfs' && use.type !== 'btrfs')
        await filesystems.format(image, { type: use.type, uuid: use.uuid });
      atPoint('create.formatted');
      await syncFolder(folders.images);
    },
    async discard(volume) {
      await missingIsUndefined(loops.detach(imageOf(volume)));
      await rm(imageOf(volume), { force: true });
      // Before the record goes: an image that a power loss brings back would belong to no volume.
      await syncFolder(folders.images);
    },
    async moveToTrash(volume) {
      await missingIsUndefined(loops.detach(imageOf(volume)));
      await missingIsUndefined(rename(imageOf(volume), join(folders.trash, `${volume.id}${suffix}`)));
      await syncFolder(folders.trash);
      await syncFolder(folders.images);
    },
    async emptyTrash(expired) {
      for (const file of await readdir(folders.trash)) {
        const id = file.slice(0, -suffix.length);
        const ours = poolOf('volume', id) !== undefined || poolOf('snapshot', id) !== undefined;
        if (ours && expired(id)) await rm(join(folders.trash, file), { force: true });
      }
    },
    look,
    async stage(volume, folder, flags) {
      const device = await loops.attach(imageOf(volume), { readonly: false });
      try {
        atPoint('stage.attached');
        await mountFilesystem(volume, device, folder, flags);
        atPoint('stage.mounted');
      } catch (error) {
        const { places } = await look(volume);
        if (places.length === 0) await loops.detach(imageOf(volume)).catch(() => undefined);
        throw error;
      }
    },
    unmount: (path) => mounts.unmount(path),
    detach: (volume) => loops.detach(imageOf(volume)),
    async publish(volume, { staging, target, readonly }) {
      const device = await deviceOf(volume);
      if (device === undefined) throw new BerthError('FAILED_PRECONDITION', `volume ${volume.id} is not attached`);
      await mounts.bind({ source: volume.use.kind === 'block' ? device.path : staging, target, readonly });
      atPoint('publish.bound');
    },
    async sizeOf(volume) {
      return (await missingIsUndefined(stat(imageOf(volume), { bigint: true })))?.size;
    },
    async strangers(volumes) {
      const known = new Set(volumes.map((volume) => `${volume.id}${suffix}`));
      const found: { file: string; bytes: bigint }[] = [];
      for (const file of await readdir(folders.images)) {
        if (known.has(file)) continue;
        const { size } = await lstat(join(folders.images, file), { bigint: true });
        found.push({ file, bytes: size });
      }
      return found;
    },
  };
}
