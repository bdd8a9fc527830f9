/** What device nodes there are: reads the host's /dev where the patterns point to, and tells when it changes. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { coalesce } from '../kit/coalesce.ts';
import { watchDirectory } from '../kit/directorywatch.ts';
import { errnoOf, messageOf } from '../kit/errors.ts';
import { matchesSegment } from './glob.ts';
import type { PathGlob } from './glob.ts';

/** A device node, or a link that leads to one. */
export interface DeviceNode {
  /** Path on the host, as a pattern found it: always below /dev. */
  readonly path: string;
  /** What the path leads to: kind and number, as `c10:229`. Two paths with the same are the same device. */
  readonly device: string;
}

/** Something a pattern found that cannot be offered. */
export interface Misfit {
  readonly path: string;
  readonly reason: string;
}

export interface Inventory {
  readonly nodes: readonly DeviceNode[];
  readonly misfits: readonly Misfit[];
}

/** Reads what the patterns find below `devRoot`, the place where the host's /dev is seen. Nodes are sorted by path. */
export async function readInventory(devRoot: string, globs: readonly PathGlob[]): Promise<Inventory> {
  const root = await realpath(devRoot);
  const found = new Set((await Promise.all(globs.map((glob) => expand(root, '', glob.segments)))).flat());
  const results = await Promise.all([...found].sort().map((relative) => examine(root, relative)));
  return {
    nodes: results.filter((result) => result !== undefined && 'device' in result),
    misfits: results.filter((result) => result !== undefined && 'reason' in result),
  };
}

/** The paths (relative to the root) that a pattern can mean: names are read only where it has wildcards. */
async function expand(root: string, base: string, segments: PathGlob['segments']): Promise<string[]> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [base];
  if (typeof segment === 'string') return await expand(root, `${base}/${segment}`, rest);
  const names = await readdir(join(root, base)).catch((thrown: unknown) => {
    // That this process has no descriptors left is no reason to call every device gone.
    if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(errnoOf(thrown) ?? '')) throw thrown;
    return [];
  });
  const fitting = names.filter((name) => matchesSegment(segment, name));
  return (await Promise.all(fitting.map((name) => expand(root, `${base}/${name}`, rest)))).flat();
}

/** Follows a path to its device. Undefined when nothing is there, which is not worth a word: devices come and go. */
async function examine(root: string, relative: string): Promise<DeviceNode | Misfit | undefined> {
  const path = `/dev${relative}`;
  try {
    // A link below /dev must not carry a node from elsewhere, say an image's, into a pod.
    const target = await realpath(join(root, relative));
    if (!target.startsWith(`${root}/`)) return { path, reason: `leads out of /dev, to ${target}` };
    const stats = await stat(target, { bigint: true });
    if (stats.isCharacterDevice()) return { path, device: `c${deviceNumber(stats.rdev)}` };
    if (stats.isBlockDevice()) return { path, device: `b${deviceNumber(stats.rdev)}` };
    return { path, reason: 'is no device node' };
  } catch (thrown) {
    return errnoOf(thrown) === 'ENOENT' ? undefined : { path, reason: messageOf(thrown) };
  }
}

/** `major:minor` of a dev_t, in glibc's layout: each half is split around the other's old 8 bits. */
function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}

/**
 * Calls `look` now, whenever something changes in a directory whose names or entries the patterns name, and every
 * `pollMs` (changes deeper below a wildcard are only seen then).
 */
export function watchInventory(
  devRoot: string,
  globs: readonly PathGlob[],
  look: () => Promise<void>,
  options: { readonly signal: AbortSignal; readonly pollMs: number },
): void {
  const folders = new Set([devRoot]);
  for (const { segments } of globs) {
    let folder = devRoot;
    for (const segment of segments.slice(0, -1)) {
      if (typeof segment !== 'string') break;
      folder = join(folder, segment);
      folders.add(folder);
    }
  }
  const once = coalesce(look);
  for (const folder of folders) watchDirectory(folder, once, options);
}
