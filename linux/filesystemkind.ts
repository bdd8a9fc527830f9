/** Which filesystem a folder lies on and what files there can do. */
import { statfs } from 'node:fs/promises';
import { canShareBytes } from './filecopy.ts';

export interface FolderAbilities {
  /** `xfs`, `ext4` (also ext2 and ext3, which have the same number), `btrfs`, `tmpfs`, `overlay`, or the number of another. */
  readonly type: string;
  /** Whether files can share their bytes (FICLONE). */
  readonly reflink: boolean;
}

/** linux/magic.h. */
const types = new Map<bigint, string>([
  [0x58465342n, 'xfs'],
  [0xef53n, 'ext4'],
  [0x9123683en, 'btrfs'],
  [0x01021994n, 'tmpfs'],
  [0x794c7630n, 'overlay'],
]);

/** See `Filesystems.abilitiesOf`. */
export async function abilitiesOf(folder: string): Promise<FolderAbilities> {
  const { type } = await statfs(folder, { bigint: true });
  return { type: types.get(type) ?? `0x${type.toString(16)}`, reflink: await canShareBytes(folder) };
}
