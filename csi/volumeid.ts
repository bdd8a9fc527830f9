/** Volume IDs: `v1-<pool>-<ulid>`. The pool part tells a volume that is gone from one that another pool or node has. */
import { randomBytes } from 'node:crypto';

/** Crockford's base 32, lower case. */
const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const pattern = /^v1-([0-9a-f]{8})-[0-9a-hjkmnp-tv-z]{26}$/;

function base32(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest >>= 5n) text = `${digits[Number(rest & 31n)] ?? ''}${text}`;
  return text;
}

/** A new pool ID: 8 hexadecimal digits. */
export function newPoolId(): string {
  return randomBytes(4).toString('hex');
}

/** A new ID in a pool; later ones sort later (by milliseconds). */
export function newVolumeId(poolId: string, now: number): string {
  return `v1-${poolId}-${base32(BigInt(now), 10)}${base32(BigInt(`0x${randomBytes(10).toString('hex')}`), 16)}`;
}

/** The pool's ID in a volume ID; undefined for text that never was an ID of ours. Nothing else becomes a file name. */
export function poolOf(volumeId: string): string | undefined {
  return pattern.exec(volumeId)?.[1];
}
