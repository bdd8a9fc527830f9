/** Checks of request fields, before any look-up and in the order of the calls: present, not too long, well-formed. */
import { normalize } from 'node:path';
import { BerthError } from '../../kit/errors.ts';
import type { CapacityRange } from '../volume.ts';

/** Limits of the specification, section "Size Limits". */
const maxStringBytes = 128;
const maxMapBytes = 4096;
/** PATH_MAX without its NUL. */
const maxPathBytes = 4095;

export function invalid(message: string): BerthError {
  return new BerthError('INVALID_ARGUMENT', message);
}

/** Throws when any of the named fields is empty. */
export function requireFields(fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    const empty = value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
    if (empty) throw invalid(`${name} is missing`);
  }
}

/** A text of a request: at most 128 bytes and without control characters. */
export function checkText(name: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes > maxStringBytes) throw invalid(`${name} has ${bytes} bytes; ${maxStringBytes} are allowed`);
  if (/\p{Cc}/u.test(value)) throw invalid(`${name} holds control characters`);
}

/** Maps of a request: keys and values together at most 4 KiB each. */
export function checkMaps(maps: Readonly<Record<string, Readonly<Record<string, string>>>>): void {
  for (const [name, map] of Object.entries(maps)) {
    let bytes = 0;
    for (const [key, value] of Object.entries(map)) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (bytes > maxMapBytes) throw invalid(`${name} has ${bytes} bytes; ${maxMapBytes} are allowed`);
  }
}

/** The reason a path cannot be one of the kubelet's for volumes, or undefined. The kubelet mounts below these two folders. */
export function pathFault(path: string, kubeletRoot: string): string | undefined {
  if (!path.startsWith('/')) return 'must be absolute';
  if (Buffer.byteLength(path) > maxPathBytes) return `is longer than ${maxPathBytes} bytes`;
  if (/\p{Cc}/u.test(path)) return 'holds control characters';
  if (normalize(path) !== path || path.endsWith('/')) return 'must not hold "..", "." or needless slashes';
  const folders = [`${kubeletRoot}/pods/`, `${kubeletRoot}/plugins/kubernetes.io/`];
  if (folders.some((folder) => path.startsWith(folder))) return undefined;
  return `must lie below the kubelet's pods/ or plugins/kubernetes.io/ in ${kubeletRoot}`;
}

/** Throws INVALID_ARGUMENT for a path with a fault. */
export function checkPath(name: string, path: string, kubeletRoot: string): void {
  const fault = pathFault(path, kubeletRoot);
  if (fault !== undefined) throw invalid(`${name} ${fault}`);
}

/** int64 of the wire, which are decimal strings, as they were sent. */
export function decodeRange(
  range: { readonly required_bytes: string; readonly limit_bytes: string } | null,
): CapacityRange | undefined {
  if (range === null) return undefined;
  const required = BigInt(range.required_bytes);
  const limit = BigInt(range.limit_bytes);
  if (required < 0n || limit < 0n) throw invalid('capacity_range holds a negative size');
  if (required === 0n && limit === 0n) throw invalid('capacity_range sets neither required_bytes nor limit_bytes');
  if (limit > 0n && limit < required) throw invalid(`limit_bytes ${limit} is less than required_bytes ${required}`);
  return { required, limit };
}
