/** Paths below /dev: what they lead to, and which there are besides the kernel's own names. */
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../../kit/errors.ts';
import { matchesSegment } from '../config/pathglob.ts';
import type { PathGlob } from '../config/pathglob.ts';
import type { DeviceNumber, Misfit } from './inventory.ts';
import { numberOfNode } from './nodenumber.ts';
import { pauses, unlessGone } from './patience.ts';

/** Folders of lasting links. They are looked through for where there is no udev database. */
export const linkFolders = ['serial', 'v4l', 'disk', 'snd', 'input', 'dri'].flatMap((kind) => [
  `${kind}/by-id`,
  `${kind}/by-path`,
]);

/** Links of one of them; a disk has some ten. */
const maxLinks = 16_384;

/** Names below /dev by what they lead to, and what leads to nothing that could be offered. */
interface FoundPaths {
  readonly names: ReadonlyMap<DeviceNumber, readonly string[]>;
  readonly misfits: readonly Misfit[];
}

/** Looks through what the patterns name, and the folders of lasting links. `root` is the real path of /dev. */
export async function findPaths(root: string, globs: readonly PathGlob[]): Promise<FoundPaths> {
  const pause = pauses();
  const matched = new Set<string>();
  for (const { segments } of globs) for (const name of await expand(root, '', segments, pause)) matched.add(name);
  const linked = linkFolders.flatMap((folder) =>
    (unlessGone(() => readdirSync(join(root, folder))) ?? []).slice(0, maxLinks).map((name) => `${folder}/${name}`),
  );
  const names = new Map<DeviceNumber, string[]>();
  const misfits: Misfit[] = [];
  for (const name of [...new Set([...matched, ...linked])].sort()) {
    await pause();
    const found = leadsTo(root, name);
    if (found === undefined) continue;
    if ('reason' in found) {
      if (matched.has(name)) misfits.push({ path: `/dev/${name}`, reason: found.reason });
    } else names.set(found.number, [...(names.get(found.number) ?? []), name]);
  }
  return { names, misfits };
}

/** The names that a pattern can mean: folders are read only where it has wildcards. */
async function expand(
  root: string,
  base: string,
  segments: PathGlob['segments'],
  pause: () => Promise<void>,
): Promise<readonly string[]> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [base.slice(1)];
  if (typeof segment === 'string') return await expand(root, `${base}/${segment}`, rest, pause);
  const names = unlessGone(() => readdirSync(join(root, base))) ?? [];
  const found: string[] = [];
  for (const name of names) {
    await pause();
    if (matchesSegment(segment, name)) found.push(...(await expand(root, `${base}/${name}`, rest, pause)));
  }
  return found;
}

/** Follows a name to its device. Undefined when nothing is there, which is not worth a word: devices come and go. */
export function leadsTo(
  root: string,
  name: string,
): { readonly number: DeviceNumber } | { readonly reason: string } | undefined {
  try {
    // A link below /dev must not carry a node from elsewhere, say an image's, into a pod.
    const target = realpathSync.native(join(root, name));
    if (!target.startsWith(`${root}/`)) return { reason: `leads out of /dev, to ${target}` };
    const number = numberOfNode(statSync(target, { bigint: true }));
    return number === undefined ? { reason: 'is no device node' } : { number };
  } catch (thrown) {
    return ['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown) ?? '') ? undefined : { reason: messageOf(thrown) };
  }
}

/** Whether a node of this number is at a name, and no link. */
export function isNode(root: string, name: string, number: DeviceNumber): boolean {
  const stats = unlessGone(() => lstatSync(join(root, name), { bigint: true, throwIfNoEntry: false }));
  return stats !== undefined && numberOfNode(stats) === number;
}
