/** The image files of a pool: which file is whose, their way into the trash and back, and files that are nobody's. */
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { changeDurably, removeDurably, syncFolder } from '../../kit/durablefile.ts';
import { BerthError, errnoOf } from '../../kit/errors.ts';
import type { Stored } from '../engine.ts';
import { missingIsUndefined } from '../missing.ts';
import { poolOf } from '../objectid.ts';
import type { PoolFolders } from '../pool.ts';

const suffix = '.img';

export class Images {
  readonly #folders: PoolFolders;

  constructor(folders: PoolFolders) {
    this.#folders = folders;
  }

  /** The image of a volume or snapshot. IDs come from records, whose IDs were checked by pattern: they cannot leave the folder. */
  of({ id }: Pick<Stored, 'id'>): string {
    const folder = poolOf('snapshot', id) === undefined ? this.#folders.images : this.#folders.snapshots;
    return join(folder, `${id}${suffix}`);
  }

  /** Size of an image in bytes, or undefined when it is missing. */
  async sizeOf(object: Stored): Promise<bigint | undefined> {
    return (await missingIsUndefined(lstat(this.of(object), { bigint: true })))?.size;
  }

  /** Makes what was made or removed beside the image durable. */
  async sync(object: Stored): Promise<void> {
    await syncFolder(dirname(this.of(object)));
  }

  async remove(object: Stored): Promise<void> {
    // Durably, before the record goes: an image that a power loss brings back would belong to nobody.
    await removeDurably(this.of(object));
  }

  /** Nothing happens when the image is missing. On a disk without room for that it is removed at once. */
  async moveToTrash(object: Stored): Promise<void> {
    const [image, trashed] = [this.of(object), this.#trashOf(object)];
    try {
      await changeDurably([dirname(trashed), dirname(image)], () => missingIsUndefined(rename(image, trashed)));
    } catch (error) {
      if (errnoOf(error) !== 'ENOSPC') throw error;
      // A full btrfs can remove but not rename, and only what is removed makes room again.
      await this.remove(object);
    }
  }

  /** Nothing happens when the image is in its place. Throws NOT_FOUND when it is nowhere. */
  async restoreFromTrash(object: Stored): Promise<void> {
    // Never over an image that is there: that would be the loss of one of two.
    if ((await this.sizeOf(object)) === undefined) {
      try {
        await rename(this.#trashOf(object), this.of(object));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
        throw new BerthError('NOT_FOUND', `the trash has nothing of ${object.id}: its space was given back`, {
          cause: error,
        });
      }
    }
    await this.sync(object);
    await syncFolder(this.#folders.trash);
  }

  /** Whether anything was removed. What cannot be is no reason to keep the rest; it is thrown in the end. */
  async emptyTrash(expired: (id: string) => boolean): Promise<boolean> {
    let removed = false;
    const failures: unknown[] = [];
    for (const file of await readdir(this.#folders.trash)) {
      const id = idIn(file);
      if (id === undefined || !expired(id)) continue;
      try {
        await rm(join(this.#folders.trash, file), { force: true });
        removed = true;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return removed;
  }

  /** Files in the folders of images that belong to none of the objects. Those in the trash the trash itself reports. */
  async strangers(objects: readonly Stored[]): Promise<{ readonly file: string; readonly bytes: bigint }[]> {
    const known = new Set(objects.map((object) => this.of(object)));
    const { images, snapshots } = this.#folders;
    const found: { file: string; bytes: bigint }[] = [];
    for (const folder of [images, snapshots]) {
      for (const file of await readdir(folder)) {
        const path = join(folder, file);
        if (known.has(path)) continue;
        const about = await missingIsUndefined(lstat(path, { bigint: true }));
        if (about !== undefined) found.push({ file: join(basename(folder), file), bytes: about.size });
      }
    }
    return found;
  }

  #trashOf({ id }: Stored): string {
    return join(this.#folders.trash, `${id}${suffix}`);
  }
}

/** The ID that an image's file name is made of, or undefined for other names. */
function idIn(file: string): string | undefined {
  if (!file.endsWith(suffix)) return undefined;
  const id = file.slice(0, -suffix.length);
  return poolOf('volume', id) === undefined && poolOf('snapshot', id) === undefined ? undefined : id;
}
