/** IDs: `v1-<pool>-<ulid>` of volumes, `s1-…` of snapshots, `g1-…` of groups. The pool part tells what is gone from what another pool or node has. */
import { randomBytes } from 'node:crypto';

/** Crockford's base 32, lower case. */
const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const pattern = /^([vsg])1-([0-9a-f]{8})-[0-9a-hjkmnp-tv-z]{26}$/;
const letters = { volume: 'v', snapshot: 's', group: 'g' } as const;

export type ObjectKind = keyof typeof letters;

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
export function newObjectId(kind: ObjectKind, poolId: string, now: number): string {
  const random = base32(BigInt(`0x${randomBytes(10).toString('hex')}`), 16);
  return `${letters[kind]}1-${poolId}-${base32(BigInt(now), 10)}${random}`;
}

/** The pool's ID in an ID of any kind; undefined for other text. */
export function ownerOf(id: string): string | undefined {
  return pattern.exec(id)?.[2];
}

/** The pool's ID in an ID of that kind; undefined for text that never was one of ours. Nothing else becomes a file name. */
export function poolOf(kind: ObjectKind, id: string): string | undefined {
  const [, letter, pool] = pattern.exec(id) ?? [];
  return letter === letters[kind] ? pool : undefined;
}
