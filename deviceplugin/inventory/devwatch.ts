/** Is told when names below /dev come or go: nodes that somebody made by hand, links that udev made late. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { watchDirectory } from '../../kit/directorywatch.ts';
import type { PathGlob } from '../config/pathglob.ts';
import { unlessGone } from './patience.ts';
import { linkFolders } from './paths.ts';

/** Milliseconds between the looks that do not rely on events. */
const pollMs = 2_000;

/** A folder's time tells of every name that came or went, but not of two within one tick of the kernel's clock. */
const freshMs = 50;

/**
 * Calls `onChange` now and when something changed in /dev, in a folder of lasting links, or in one that a pattern names up
 * to its first wildcard.
 */
export function watchNames(
  devRoot: string,
  globs: readonly PathGlob[],
  onChange: () => void,
  signal: AbortSignal,
): void {
  const folders = new Set(['', ...linkFolders]);
  for (const { segments } of globs) {
    let folder = '';
    for (const segment of segments.slice(0, -1)) {
      if (typeof segment !== 'string') break;
      folder = join(folder, segment);
      folders.add(folder);
    }
  }
  for (const folder of folders) {
    const path = join(devRoot, folder);
    let seen: string | undefined;
    const look = (): void => {
      const stats = unlessGone(() => statSync(path, { bigint: true, throwIfNoEntry: false }));
      const now = stats === undefined ? 'none' : `${stats.dev}:${stats.ino}:${stats.mtimeNs}`;
      if (now === seen) return;
      // A clock that was set back makes a time in the future, which is no fresh one.
      const isFresh = stats !== undefined && Math.abs(Date.now() - Number(stats.mtimeMs)) < freshMs;
      seen = isFresh ? undefined : now;
      onChange();
    };
    watchDirectory(path, look, { signal, pollMs });
  }
}
