/** Target paths: made by us, removed by us, below the kubelet's folder and never through a symbolic link. */
import { constants, existsSync } from 'node:fs';
import { lstat, mkdir, open, realpath, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { BerthError, errnoOf } from '../kit/errors.ts';

/**
 * Throws FAILED_PRECONDITION when the folder that holds `path` is missing, or is reached through a symbolic link below
 * `root`: what a pod can write to must not lead a mount elsewhere. `root` itself may be a link of the administrator's.
 */
export async function assertDirect(root: string, path: string): Promise<void> {
  const parent = dirname(path);
  try {
    const real = await realpath(parent);
    // Where nothing is a link, there is no need to look which one leads to the root.
    if (real === parent || real === join(await realpath(root), relative(root, parent))) return;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
    throw new BerthError('FAILED_PRECONDITION', `the folder that should hold ${path} does not exist`, { cause: error });
  }
  throw new BerthError(
    'FAILED_PRECONDITION',
    `${path} leads through a symbolic link; nothing is mounted or removed there`,
  );
}

async function kindOf(path: string): Promise<'missing' | 'folder' | 'file' | 'other'> {
  try {
    const found = await lstat(path);
    return found.isDirectory() ? 'folder' : found.isFile() || found.isBlockDevice() ? 'file' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'missing';
    throw error;
  }
}

function wrongKind(path: string, wanted: string): BerthError {
  return new BerthError('FAILED_PRECONDITION', `${path} exists and is no ${wanted}; remove it`);
}

/** Throws FAILED_PRECONDITION unless the path is a folder. */
export async function assertFolder(path: string): Promise<void> {
  const kind = await kindOf(path);
  if (kind === 'missing') throw new BerthError('FAILED_PRECONDITION', `${path} does not exist`);
  if (kind !== 'folder') throw wrongKind(path, 'folder');
}

/** Makes what a volume is mounted on: a folder, or a file for raw block. What is there already is taken if it fits. */
export async function makeTarget(path: string, wanted: 'folder' | 'file'): Promise<void> {
  try {
    if (wanted === 'folder') await mkdir(path, { mode: 0o750 });
    else {
      const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY;
      await (await open(path, flags, 0o600)).close();
    }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    if ((await kindOf(path)) !== wanted) throw wrongKind(path, wanted);
  }
}

/**
 * Removes an empty target; nothing happens when there is none. Never recursive: what is inside is not ours to lose. Throws
 * FAILED_PRECONDITION when a symbolic link below `root` leads to it: what is there was not made by us.
 */
export async function removeTarget(root: string, path: string): Promise<void> {
  if (!existsSync(dirname(path))) return;
  await assertDirect(root, path);
  try {
    await rmdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'ENOTDIR') throw error;
    if ((await kindOf(path)) !== 'file' || (await lstat(path)).size !== 0)
      throw new BerthError('FAILED_PRECONDITION', `${path} is no empty folder or file; it is not removed`, {
        cause: error,
      });
    await unlink(path);
  }
}
