/** Open files. */
import type { FileHandle } from 'node:fs/promises';

/**
 * Closes without being waited for, where what follows does not depend on it and there is no error to be told of: the way through the
 * thread pool takes longer than closing.
 */
export function closeBeside(handle: FileHandle): void {
  void handle.close().catch(() => undefined);
}
