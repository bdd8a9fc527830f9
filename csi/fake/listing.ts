/** What lies in a folder, to compare what was with what is. */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything below a folder but what is below those of `own`: names, kinds, modes, sizes, times and contents. */
export async function listing(path: string, own: readonly string[] = []): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of (await readdir(path)).sort()) {
    const inner = join(path, name);
    if (own.includes(inner)) continue;
    const { mode, size, mtimeMs, ino } = await lstat(inner);
    const kind = mode & 0o170000;
    const content =
      kind === 0o120000
        ? await readlink(inner)
        : kind === 0o100000
          ? createHash('sha256')
              .update(await readFile(inner))
              .digest('hex')
          : '';
    found.push([inner, mode.toString(8), ino, size, mtimeMs, content].join(' '));
    if (kind === 0o040000) found.push(...(await listing(inner, own)));
  }
  return found;
}
