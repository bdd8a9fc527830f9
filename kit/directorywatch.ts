/**
 * Being told that names in a directory came or went. File events make it quick; a look every second makes it certain:
 * events are lost when the directory is removed and made again, and inotify may be used up on a busy node.
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { coalesce } from './coalesce.ts';

export interface WatchOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Milliseconds between the certain looks. Default 1 s. */
  readonly pollMs?: number;
}

/**
 * Calls `look` now, when a name comes or goes and every `pollMs`, one call at a time; events during a call lead to
 * one more. The directory need not exist. `look` compares for itself what it is interested in, and must not throw.
 */
export function watchDirectory(path: string, look: () => Promise<void> | void, options: WatchOptions): void {
  const { signal } = options;
  let watcher: FSWatcher | undefined;
  let watched: string | undefined;
  const arm = async (): Promise<void> => {
    const there = await stat(path).catch(() => undefined);
    const identity = there === undefined ? undefined : `${there.dev}:${there.ino}:${there.birthtimeMs}`;
    if (identity === watched || signal.aborted) return;
    watcher?.close();
    watcher = undefined;
    watched = undefined;
    if (identity === undefined) return;
    try {
      watcher = watch(path, { persistent: false }, (event) => {
        // "rename" is every coming and going. A "change" may be each write to a device, which older kernels report as well.
        if (event === 'rename') void run();
      });
      watched = identity;
      watcher.on('error', () => {
        watched = undefined;
      });
    } catch {
      // EMFILE, ENOSPC or just removed: the next look tries again, and until then there are the looks themselves.
    }
  };
  const run = coalesce(async () => {
    if (signal.aborted) return;
    await arm();
    await look();
  });

  if (signal.aborted) return;
  const timer = setInterval(() => void run(), options.pollMs ?? 1_000);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    watcher?.close();
  });
  void run();
}
