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
  const { type: magic } = await statfs(folder, { bigint: true });
  const type = types.get(magic) ?? `0x${magic.toString(16)}`;
  // On a full disk that cannot even take a file for the trial: XFS is made so by default for years, btrfs always.
  return { type, reflink: (await canShareBytes(folder)) ?? ['xfs', 'btrfs'].includes(type) };
}
