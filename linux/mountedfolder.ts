/** Opens the folder a mount is shown at and makes sure that it is that mount, not one that somebody has laid over it. */
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { BerthError } from '../kit/errors.ts';
import type { MountEntry } from './mountinfo.ts';

/** The mount of a table and nothing else. Freezing what lies over it could stop the whole node. */
export type MountPlace = Pick<MountEntry, 'id' | 'mountPoint'>;

/** Runs the work with the mount's opened root folder. Throws BUSY when the mount is covered or has just gone. */
export async function withMountedFolder<T>(
  { id, mountPoint }: MountPlace,
  work: (folder: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(mountPoint, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const about = await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8');
    const found = /^mnt_id:\s*(\d+)$/m.exec(about)?.[1];
    if (found !== String(id)) {
      throw new BerthError(
        'BUSY',
        `another filesystem is mounted over ${mountPoint}, or it was mounted anew; try again`,
      );
    }
    return await work(handle);
  } finally {
    await handle.close();
  }
}
