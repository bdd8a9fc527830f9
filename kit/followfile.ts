/** Following a small file that others replace, as the kubelet does with those of a mounted ConfigMap. */
import { dirname } from 'node:path';
import { coalesce } from './coalesce.ts';
import { watchDirectory } from './directorywatch.ts';
import { errnoOf, messageOf } from './errors.ts';
import { readRegularFile } from './regularfile.ts';

/** Its text, or why it cannot be read. */
export type FileContent = { readonly text: string } | { readonly reason: string };

export interface FollowFileOptions {
  readonly signal: AbortSignal;
  /** Bytes it may have. */
  readonly largest: number;
  /** Milliseconds between looks that do not wait for an event. Default 10 s. */
  readonly pollMs?: number;
}

/**
 * Calls `changed` with the content now and whenever it is another. What is returned has it looked at on the spot, for whoever must not
 * miss a change whose event is still on its way; it resolves when `changed` has been called.
 */
export function followFile(
  path: string,
  changed: (content: FileContent) => void,
  { signal, largest, pollMs = 10_000 }: FollowFileOptions,
): () => Promise<void> {
  let before: string | undefined;
  const look = coalesce(async () => {
    const content = await read(path, largest);
    const now = JSON.stringify(content);
    if (now === before || signal.aborted) return;
    before = now;
    changed(content);
  });
  // A ConfigMap is changed by a link beside the file, which is a coming and going in its folder.
  watchDirectory(dirname(path), look, { signal, pollMs });
  return look;
}

async function read(path: string, largest: number, again = true): Promise<FileContent> {
  try {
    return { text: await readRegularFile(path, largest) };
  } catch (error) {
    // The version that the link led to may have been removed on the way there; the next one is whole.
    if (again && errnoOf(error) === 'ENOENT') return await read(path, largest, false);
    return { reason: messageOf(error) };
  }
}
