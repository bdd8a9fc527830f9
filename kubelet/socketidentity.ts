/** Telling a socket file from another one of the same name. */
import { lstat } from 'node:fs/promises';

/**
 * What changes when somebody removes a file and makes it again, or undefined while there is none. The birth time stands
 * beside the inode because file systems reuse inode numbers at once; it is not the change time, for a chmod or an SELinux
 * relabel makes no new socket (where the file system has no birth time the change time has to do).
 */
export async function identityOf(path: string): Promise<string | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined);
  if (stats === undefined) return undefined;
  const time = stats.birthtimeNs === 0n ? stats.ctimeNs : stats.birthtimeNs;
  return `${stats.dev}:${stats.ino}:${time}`;
}
