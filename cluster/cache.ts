/** The folder for what is built once: programs and images. Safe to remove at any time when no cluster is up. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_CACHE_HOME/berth`, by default `~/.cache/berth`. */
export function cacheFolder(): string {
  const configured = process.env['XDG_CACHE_HOME'];
  return join(configured === undefined || configured === '' ? join(homedir(), '.cache') : configured, 'berth');
}
