/** By which name the program was called. */
import { basename } from 'node:path';

/** Whether it was called as a plugin of kubectl; `path` is `argv[1]`. */
export function isPluginName(path: string | undefined): boolean {
  return basename(path ?? '').startsWith('kubectl-');
}
