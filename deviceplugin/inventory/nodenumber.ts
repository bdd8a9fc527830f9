/** The number of a device node as the inventory writes it. */
import type { BigIntStats } from 'node:fs';
import type { DeviceNumber } from './inventory.ts';

/** `c10:229` or `b7:0`; undefined for what is no device node. */
export function numberOfNode(stats: BigIntStats): DeviceNumber | undefined {
  const kind = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : undefined;
  if (kind === undefined) return undefined;
  // As glibc packs them: twelve bits of the major number and eight of the minor one lie low, the rest high.
  const major = ((stats.rdev >> 8n) & 0xfffn) | ((stats.rdev >> 32n) & ~0xfffn);
  const minor = ((stats.rdev & 0xffn) | ((stats.rdev >> 12n) & ~0xffn)) & 0xffffffffn;
  return `${kind}${major}:${minor}`;
}
