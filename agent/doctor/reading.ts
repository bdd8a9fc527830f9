/** Reads files, folders and sockets of the node for the probes. What is not there is undefined; what cannot be read throws. */
import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { errnoOf } from '../../kit/errors.ts';

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** For files of /proc, /sys and /etc, which are small. */
export async function readText(path: string): Promise<string | undefined> {
  return (await orUndefined(readFile(path, 'utf8')))?.trim();
}

export async function readNumber(path: string): Promise<number | undefined> {
  const text = await readText(path);
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text);
}

/** Names in order. */
export async function listFolder(path: string): Promise<readonly string[] | undefined> {
  return (await orUndefined(readdir(path)))?.sort();
}

export async function isFolder(path: string): Promise<boolean | undefined> {
  return (await orUndefined(stat(path)))?.isDirectory();
}

export async function exists(path: string): Promise<boolean> {
  return (await orUndefined(stat(path))) !== undefined;
}

export type FolderState = 'missing' | 'no-folder' | 'read-only' | 'writable';

/** Whether root could write into a folder, without trying it. */
export async function folderState(path: string): Promise<FolderState> {
  const folder = await isFolder(path);
  if (folder === undefined) return 'missing';
  if (!folder) return 'no-folder';
  try {
    await access(path, constants.W_OK);
    return 'writable';
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return 'read-only';
    throw error;
  }
}

/** Undefined when somebody listens on a Unix socket, else the errno name. */
export async function connectRefusal(path: string, signal: AbortSignal): Promise<string | undefined> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ path, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => {
      const code = errnoOf(error);
      if (code === undefined) reject(error);
      else resolve(code);
    });
  });
}
