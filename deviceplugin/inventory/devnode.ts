/** Puts a device node together from the names that lead to it. */
import { matchesPath } from '../config/pathglob.ts';
import type { PathGlob } from '../config/pathglob.ts';
import type { DeviceNumber, DevNode } from './inventory.ts';
import { isNode } from './paths.ts';

export interface NodeParts {
  readonly number: DeviceNumber;
  /** `devpath` of its device. */
  readonly device: string | undefined;
  /** The kernel's name of it. */
  readonly devname: string | undefined;
  /** Names below /dev that lead to it, as just seen. */
  readonly names: Iterable<string>;
}

/**
 * The node, if it is there: under the kernel's name, else under one that a pattern finds. A link in one of the folders
 * that are looked through anyway makes no node of what has no name.
 */
export function nodeFrom(root: string, globs: readonly PathGlob[], parts: NodeParts): DevNode | undefined {
  const { number, device, devname } = parts;
  const names = [...new Set(parts.names)].sort();
  const own =
    devname !== undefined && isNode(root, devname, number)
      ? devname
      : names.find((name) => globs.some((glob) => matchesPath(glob, `/dev/${name}`)));
  if (own === undefined) return undefined;
  const links = names.filter((name) => name !== own).map((name) => `/dev/${name}`);
  return { number, path: `/dev/${own}`, links, device };
}
