/** What an image says of itself while it is not mounted, read without the loop device. */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { errnoOf } from '../../kit/errors.ts';
import type { Filesystems } from '../../linux/filesystem.ts';
import type { Inspection } from '../engine.ts';
import { missingIsUndefined } from '../missing.ts';

/** Whether the pool's filesystem lets the file be read past the page cache; the loop device can then do so, too. */
async function canDirectIo(file: string): Promise<boolean> {
  try {
    await (await open(file, constants.O_RDONLY | constants.O_DIRECT | constants.O_NOFOLLOW)).close();
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
}

/** Undefined when there is no such file. */
export async function inspectImage(
  file: string,
  { stateOf }: Pick<Filesystems, 'stateOf'>,
): Promise<Inspection | undefined> {
  return await missingIsUndefined(
    (async () => {
      const { blocks } = await lstat(file, { bigint: true });
      const state = await stateOf(file);
      return { allocated: blocks * 512n, canDirectIo: await canDirectIo(file), faulty: state?.faulty ?? false };
    })(),
  );
}
