/** Puts the CNI executable and the network configuration where the container runtime looks for them. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, lstat, mkdir, open, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { syncFolder, writeFileAtomic } from '../kit/durablefile.ts';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import type { NetworkConfig } from './config.ts';
import { defaultSocketPath, supportedVersions } from './protocol.ts';
import { capabilities } from './wishes.ts';

/** Name of the executable and plugin type. Never change it: runtimes keep it from ADD to DEL. */
export const pluginType = 'berth';

/** Bytes: far more than ours has. */
export const largestConflist = 65_536;

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** Whether the executable in `target` is that in `source`, ready to be run. */
export async function isSameExecutable(source: string, target: string): Promise<boolean> {
  try {
    const [from, to] = await Promise.all([stat(source), lstat(target)]);
    if (!to.isFile() || from.size !== to.size || (to.mode & 0o7777) !== 0o755) return false;
    // The copy carries the time of its source, in whole milliseconds, so that not every look reads 100 MB twice.
    return from.mtime.getTime() === to.mtime.getTime() || (await digest(source)) === (await digest(target));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Installs the executable by rename, only if it differs: writing into one that is running fails (ETXTBSY), and a caller
 * that waits for us would keep it running for ever. Also answers as `loopback` where there is no such plugin, because
 * containerd runs it for each pod and fails every pod without it. Returns whether anything was written.
 */
export async function installExecutable(source: string, folder: string): Promise<boolean> {
  const target = join(folder, pluginType);
  try {
    await mkdir(folder, { recursive: true });
    await installLoopback(folder);
    if (await isSameExecutable(source, target)) return false;
    const temporary = join(folder, `.${pluginType}.${randomBytes(6).toString('hex')}`);
    try {
      await copyFile(source, temporary, constants.COPYFILE_FICLONE);
      const file = await open(temporary, 'r+');
      try {
        await file.chmod(0o755);
        await file.sync();
      } finally {
        await file.close();
      }
      const { atime, mtime } = await stat(source);
      await utimes(temporary, atime, mtime);
      await rename(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
    await syncFolder(folder);
    return true;
  } catch (error) {
    throw new BerthError('IO_FAILED', `cannot install the CNI executable as ${target}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function installLoopback(folder: string): Promise<void> {
  try {
    await symlink(pluginType, join(folder, 'loopback'));
  } catch (error) {
    // Somebody's own loopback plugin, or ours of an earlier start.
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** The network configuration list for runtimes (CNI specification 1.1.0, section 1). */
export function conflistText(config: NetworkConfig): string {
  const socket = socketPath(config);
  const list = {
    // Runtimes that know no `cniVersions` take this one; 1.1.0 here would break containerd before 2.0.
    cniVersion: '1.0.0',
    cniVersions: supportedVersions,
    name: config.name,
    plugins: [{ type: pluginType, capabilities, ...(socket === defaultSocketPath ? {} : { socket }) }],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

export function socketPath(config: NetworkConfig): string {
  return join(config.runDir, 'cni.sock');
}

/** Writes the configuration list if it differs: from then on the runtime sends pods. Returns whether it was written. */
export async function installConflist(config: NetworkConfig): Promise<boolean> {
  const path = join(config.cniConfDir, config.conflistName);
  const text = conflistText(config);
  try {
    await mkdir(config.cniConfDir, { recursive: true });
    if ((await currentText(path)) === text) return false;
    await writeFileAtomic(path, text, { mode: 0o600, sync: true });
    // containerd overlooks new files; the removal of any file makes it read the folder again.
    const nudge = join(config.cniConfDir, `.${pluginType}-reload`);
    await writeFile(nudge, '', { mode: 0o600 });
    await rm(nudge, { force: true });
    return true;
  } catch (error) {
    throw new BerthError('IO_FAILED', `cannot write the CNI configuration ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Undefined for what is not there, and for what cannot be ours. */
async function currentText(path: string): Promise<string | undefined> {
  try {
    return await readRegularFile(path, largestConflist);
  } catch (error) {
    if (error instanceof BerthError || ['ENOENT', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
