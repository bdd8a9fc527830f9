/** The engine `image`: a volume is a file in the pool, attached as a loop device with direct I/O; a snapshot is a file too. */
import { BerthError } from '../kit/errors.ts';
import { together } from '../kit/together.ts';
import type { Engine, Stored } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import { untilFreed } from './image/freedspace.ts';
import { Images } from './image/images.ts';
import { inspectImage } from './image/inspection.ts';
import { mountFilesystem } from './image/mounting.ts';
import { offersOf } from './image/offers.ts';
import { attachmentOf, deviceOf, placementOf } from './image/placement.ts';
import type { Attachment } from './image/placement.ts';
import { freezeVolume, thawVolume, whileStill } from './image/stillness.ts';
import type { StorageKernel } from './kernel.ts';
import { missingIsUndefined } from './missing.ts';
import type { PoolFolders } from './pool.ts';
import type { VolumeRecord } from './volume.ts';

export interface ImageEngineParts extends Pick<StorageKernel, 'mounts' | 'loops' | 'filesystems'> {
  readonly folders: PoolFolders;
  /** Has btrfs finish its transaction. */
  readonly commit?: (folder: string) => Promise<void>;
  readonly atPoint: AtPoint;
}

function isVolume(object: Stored): object is VolumeRecord {
  return 'provisioning' in object;
}

/** The engine on the folders of an opened pool; what it offers depends on the filesystem they lie on. */
export async function imageEngine(parts: ImageEngineParts): Promise<Engine> {
  const { folders, mounts, loops, filesystems, commit, atPoint } = parts;
  const images = new Images(folders);
  const abilities = await filesystems.abilitiesOf(folders.images);
  const offers = offersOf(abilities);
  // btrfs would copy every block that is overwritten, and direct I/O would fall back to the page cache for its checksums.
  for (const folder of [folders.images, folders.snapshots]) await filesystems.overwriteInPlace(folder);

  const find = (volume: VolumeRecord, look?: 'listNow'): Promise<Attachment | undefined> =>
    attachmentOf(volume, { images, loops, mounts }, look);
  const isThin = ({ provisioning }: VolumeRecord): boolean => provisioning === 'thin';

  /** A new image with the bytes of another. */
  async function duplicate(source: Stored, target: string): Promise<void> {
    // Sharing takes all bytes of one moment, whoever writes meanwhile.
    if (offers.copies === 'shared') await filesystems.clone(images.of(source), target);
    else {
      const attachment = isVolume(source) ? await find(source) : undefined;
      const copy = (): Promise<void> => filesystems.copy(images.of(source), target);
      if (isVolume(source)) await whileStill(source, attachment, filesystems, copy);
      else await copy();
    }
  }

  /** Makes a new image what its volume is to hold. */
  async function fill(image: string, { use }: VolumeRecord): Promise<void> {
    if (use.kind === 'filesystem' && use.type !== 'tmpfs')
      await filesystems.format(image, { type: use.type, uuid: use.uuid });
    else await filesystems.settle(image);
  }

  return {
    kind: 'image',
    offers,
    async create(volume, source) {
      const image = images.of(volume);
      const space = { sparse: isThin(volume) };
      if (source === undefined) await filesystems.allocate(image, volume.bytes, space);
      else {
        await duplicate(source, image);
        // Fills the holes of a thick volume. Blocks shared with the source stay shared, here and with any later snapshot:
        // fallocate counts them as there, and giving each volume its own would take a full copy. What overwriting them
        // takes is what the ledger keeps free for both.
        await filesystems.extend(image, volume.bytes, space);
      }
      atPoint('create.allocated');
      // Its name becomes durable beside its content; what is copied is so already.
      await together([images.sync(volume), ...(source === undefined ? [fill(image, volume)] : [])]);
      atPoint('create.formatted');
    },
    async snapshot(volume, snapshot) {
      await duplicate(volume, images.of(snapshot));
      atPoint('snapshot.cloned');
      await images.sync(snapshot);
    },
    async grow(volume) {
      await filesystems.extend(images.of(volume), volume.bytes, { sparse: isThin(volume) });
      atPoint('grow.extended');
      await loops.grow(images.of(volume));
      atPoint('grow.attached');
      if (volume.use.kind === 'block') return;
      const attachment = await find(volume, 'listNow');
      // Where it can only be read it grows when it is staged next.
      const mount = attachment?.mounts.find(
        ({ options, superOptions }) => ![...options, ...superOptions].includes('ro'),
      );
      if (attachment !== undefined && mount !== undefined) await filesystems.growMounted(mount, attachment.device.path);
    },
    async freeze(volume) {
      const attachment = await find(volume);
      if (attachment === undefined) return false;
      if (volume.use.kind === 'filesystem') return await freezeVolume(attachment, filesystems);
      await filesystems.writeBack(attachment.device.path);
      return false;
    },
    async thaw(volume) {
      const attachment = await find(volume);
      if (attachment !== undefined) await thawVolume(attachment, filesystems);
    },
    async discard(object) {
      await missingIsUndefined(loops.detach(images.of(object)));
      await images.remove(object);
    },
    async moveToTrash(object) {
      await missingIsUndefined(loops.detach(images.of(object)));
      await images.moveToTrash(object);
    },
    async emptyTrash(expired) {
      const settling = commit !== undefined && abilities.type === 'btrfs';
      const before = settling ? (await filesystems.usage(folders.trash)).bytes.available : 0n;
      const removed = await images.emptyTrash(expired);
      if (removed && settling) await untilFreed(folders.trash, before, { commit, filesystems });
    },
    restoreFromTrash: (object) => images.restoreFromTrash(object),
    look: async (volume) => placementOf(await find(volume), volume),
    async stage(volume, folder, flags) {
      const image = images.of(volume);
      // Of the file, not of the device: then it need not wait to be attached. What is written past the page cache leaves it.
      const examined = volume.use.kind === 'filesystem' ? filesystems.examine(image) : undefined;
      examined?.catch(() => undefined);
      const device = await loops.attach(image, { readonly: false, discard: isThin(volume) });
      try {
        atPoint('stage.attached');
        const found = await examined;
        if (found !== undefined)
          await mountFilesystem(
            volume,
            { found, device, folder, flags },
            { filesystems, mounts, images: folders.images },
          );
        atPoint('stage.mounted');
        return deviceOf(device);
      } catch (error) {
        const left = await find(volume);
        if (left?.mounts.some(({ mountPoint }) => mountPoint === folder) === true) await mounts.unmount(folder);
        if (left !== undefined && left.mounts.every(({ mountPoint }) => mountPoint === folder))
          await loops.detach(image).catch(() => undefined);
        throw error;
      }
    },
    unmount: (path) => mounts.unmount(path),
    async detach(volume) {
      await missingIsUndefined(loops.detach(images.of(volume)));
    },
    async publish(volume, { staging, target, readonly }) {
      const attachment = await find(volume);
      if (attachment === undefined) throw new BerthError('FAILED_PRECONDITION', `volume ${volume.id} is not attached`);
      const source = volume.use.kind === 'block' ? attachment.device.path : staging;
      await mounts.bind({ source, target, readonly });
      atPoint('publish.bound');
    },
    inspect: (volume) => inspectImage(images.of(volume), filesystems),
    sizeOf: (object) => images.sizeOf(object),
    extents: (object) => filesystems.extents(images.of(object)),
    strangers: (objects) => images.strangers(objects),
  };
}
