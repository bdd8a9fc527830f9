/** IDs of units: what the kubelet, the CDI files and people call a unit, from what says which one it is. */
import { createHash } from 'node:crypto';
import type { IdentityKind } from './identitykinds.ts';

/** Characters before the hash: 56 less "-" and 16 of hash. With "::" and a replica an ID stays below the kubelet's 63. */
const maxPrefix = 39;

/** IDs as `unitId` makes them. */
export const unitIdPattern = /^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}-[0-9a-f]{16}$/;

/**
 * The ID of a unit: a readable beginning and a hash that makes it unique, at most 56 characters of `[A-Za-z0-9-]`,
 * whatever the hardware says of itself. It is the same in every resource, and valid as the name of a CDI device.
 */
export function unitId(kind: IdentityKind, text: string): string {
  const readable = (kind === 'path' ? text.replace(/^\/dev\//, '') : text)
    .slice(0, 1_024)
    .replace(/[^A-Za-z0-9]+/g, '-');
  const prefix = readable.replace(/^-/, '').slice(0, maxPrefix).replace(/-$/, '') || 'device';
  const hashed = kind === 'path' ? text : `${kind} ${text}`;
  return `${prefix}-${createHash('sha256').update(hashed).digest('hex').slice(0, 16)}`;
}
