/** What volumes in image files can be and do, depending on what the pool's filesystem can. Pure. */
import type { FolderAbilities } from '../../linux/filesystemkind.ts';
import type { EngineOffers } from '../engine.ts';
import { MiB } from '../quantity.ts';

/**
 * mkfs.xfs refuses less than 300 MiB; ext4 needs room for its journal; btrfs can be made in less, but its kernel code
 * resizes none below 256 MiB; blocks are counted in MiB.
 */
const minima: Readonly<Record<string, bigint>> = {
  xfs: 300n * MiB,
  ext4: 32n * MiB,
  btrfs: 256n * MiB,
  block: 1n * MiB,
};

/** Filesystems that tell where the bytes of a file lie. */
const telling: readonly string[] = ['xfs', 'btrfs', 'ext4'];

export function offersOf({ type, reflink }: FolderAbilities): EngineOffers {
  return {
    types: ['xfs', 'ext4', 'btrfs', 'block'],
    minimumOf: (wanted) => minima[wanted] ?? 0n,
    copies: reflink ? 'shared' : 'full',
    freezes: true,
    thin: true,
    extents: telling.includes(type),
    volatile: false,
  };
}
