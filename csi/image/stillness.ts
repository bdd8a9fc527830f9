/** Holding a volume still: its filesystem frozen at one of the places it is mounted at, whichever is not covered. */
import { BerthError, errnoOf } from '../../kit/errors.ts';
import type { Filesystems } from '../../linux/filesystem.ts';
import type { VolumeRecord } from '../volume.ts';
import type { Attachment } from './placement.ts';

/** Runs the work on the first mount that is not covered by another; undefined when nothing is mounted. */
async function atOne<T>(
  { mounts }: Attachment,
  work: (mount: Attachment['mounts'][number]) => Promise<T>,
): Promise<T | undefined> {
  let covered: Error | undefined;
  for (const mount of mounts) {
    try {
      return await work(mount);
    } catch (error) {
      // Covered by another mount, or unmounted since it was listed.
      const isCovered = error instanceof BerthError && error.code === 'BUSY';
      if (!(error instanceof Error) || (!isCovered && errnoOf(error) !== 'ENOENT')) throw error;
      covered = error;
    }
  }
  if (covered !== undefined) throw covered;
  return undefined;
}

/** See `Engine.freeze`. */
export async function freezeVolume(attachment: Attachment, filesystems: Filesystems): Promise<boolean> {
  return (await freezeHere(attachment, filesystems)) !== undefined;
}

/** True: frozen now. False: frozen already, by whoever has called. Undefined: there is nothing to freeze. */
async function freezeHere(attachment: Attachment, filesystems: Filesystems): Promise<boolean | undefined> {
  return await atOne(attachment, (mount) => filesystems.freeze(mount));
}

/** See `Engine.thaw`. */
export async function thawVolume(attachment: Attachment, filesystems: Filesystems): Promise<void> {
  await atOne(attachment, (mount) => filesystems.thaw(mount));
}

/**
 * Runs work that reads all of the volume's image, of which nothing must change meanwhile. Raw block cannot be held still:
 * FAILED_PRECONDITION while it is attached.
 */
export async function whileStill(
  volume: VolumeRecord,
  attachment: Attachment | undefined,
  filesystems: Filesystems,
  work: () => Promise<void>,
): Promise<void> {
  if (attachment === undefined) {
    await work();
    return;
  }
  if (volume.use.kind === 'block') {
    throw new BerthError(
      'FAILED_PRECONDITION',
      `volume ${volume.id} is raw block and in use, and the pool's filesystem cannot copy it at one moment; end the pods that use it, or use a pool on XFS or btrfs`,
    );
  }
  const frozen = await freezeHere(attachment, filesystems);
  try {
    await work();
  } finally {
    if (frozen === true) await thawVolume(attachment, filesystems);
  }
}
