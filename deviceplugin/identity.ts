/** Device IDs: the same hardware in the same place has the same ID after every restart and replug. */
import { createHash } from 'node:crypto';

/** Characters before the hash: 63 less "-", 16 of hash, "::" and a replica of at most five digits. */
const maxPrefix = 39;

/**
 * The ID of one replica of the device at a path, at most 63 characters of `[A-Za-z0-9._:-]`: a readable prefix, a hash
 * that makes it unique, and the replica. The replica is always there, so that a changed count renames nothing.
 */
export function deviceId(path: string, replica: number): string {
  const readable = path.replace(/^\/dev\//, '').replace(/[^A-Za-z0-9]+/g, '-');
  const prefix = readable.slice(0, maxPrefix).replace(/^-+|-+$/g, '') || 'device';
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return `${prefix}-${hash}::${replica}`;
}
