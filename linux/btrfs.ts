/** Subvolumes of btrfs: folders that are filesystem trees of their own, with snapshots that share bytes. By ioctl, without btrfs-progs. */
import { stat, statfs } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { BerthError } from '../kit/errors.ts';
import { askBtrfs, askSubvolume, rootInode, withFolder, words } from './btrfsioctl.ts';
import { btrfsTrees, lastOffset, searchTree } from './btrfssearch.ts';
import type { BtrfsItem } from './btrfssearch.ts';
import { readCopies } from './btrfsspace.ts';
import type { BtrfsCopies } from './btrfsspace.ts';
import { reconfigure } from './reconfigure.ts';

/** A subvolume as an entry of a folder of another one. */
export interface SubvolumeLink {
  readonly id: bigint;
  /** The subvolume that has the entry. */
  readonly parent: bigint;
  /** Inode of the folder in it. */
  readonly folder: bigint;
  readonly name: string;
}

/** Failures are SystemCallErrors with their errno, unless said otherwise. */
export interface Subvolumes {
  /** Whether the folder lies on btrfs. */
  isBtrfs(folder: string): Promise<boolean>;
  /** How many copies of what is written the folder's filesystem keeps. */
  copies(folder: string): Promise<BtrfsCopies>;
  /**
   * Has the kernel take a piece of space for its trees with every so many that it takes for files, until the filesystem is mounted
   * anew. Otherwise files that are written quickly can take all pieces, and leave most of the last ones empty.
   */
  takeForTrees(mountPoint: string, every: number): Promise<void>;
  /** Makes an empty subvolume at the path, whose parent exists. Durable after the next `commit`. */
  create(path: string): Promise<void>;
  /**
   * Makes a subvolume at `target` with the bytes of `source` at one moment, what was written and not yet on disk
   * included. Durable when it returns. Subvolumes inside the source are empty folders in it.
   */
  snapshot(request: { readonly source: string; readonly target: string; readonly readonly: boolean }): Promise<void>;
  /** Changes whether the subvolume can be written to, which whoever owns its root can do, too. */
  setReadonly(folder: string, id: bigint, readonly: boolean): Promise<void>;
  /** The subvolume's number, never used twice. Throws FAILED_PRECONDITION when the path is a folder inside one. */
  idOf(path: string): Promise<bigint>;
  /** The number of the subvolume that holds the folder. */
  holderOf(folder: string): Promise<bigint>;
  /**
   * Takes the subvolume away, also one that is mounted: the kernel asks nobody. Its space is freed in the background.
   * ENOTEMPTY: there are subvolumes inside. EDQUOT: the one around it is over its limit.
   */
  destroy(folder: string, id: bigint): Promise<void>;
  /** Whether the subvolume exists, or has been destroyed and its space is not freed yet. */
  exists(folder: string, id: bigint): Promise<boolean>;
  /** The subvolumes of the filesystem that holds `folder` and have a name: all, or those in one other. */
  links(folder: string, parent?: bigint): Promise<readonly SubvolumeLink[]>;
  /** Makes durable what was changed: names, limits, properties; not what others have written to files. */
  commit(folder: string): Promise<void>;
  /** Has the kernel free destroyed subvolumes now and not within half a minute. Writes back everything that was written. */
  clean(folder: string): Promise<void>;
}

const BTRFS_SUPER_MAGIC = 0x9123683en;
/** The tree at the top of the filesystem. */
const topSubvolume = 5n;
const lastSubvolume = lastOffset - 255n;
const READONLY = 2n;
const BY_ID = 16n;
const ROOT_ITEM = 132;
const ROOT_REF = 156;

/** struct btrfs_ioctl_vol_args_v2: fd, transid, flags, 32 bytes we leave zero, then a name or a number. */
function volumeArgument(flags: bigint, nameOrId: string | bigint, source = -1): Buffer {
  const argument = Buffer.alloc(4096);
  argument.writeBigInt64LE(BigInt(source), 0);
  argument.writeBigUInt64LE(flags, 16);
  if (typeof nameOrId === 'bigint') argument.writeBigUInt64LE(nameOrId, 56);
  else argument.write(nameOrId, 56);
  return argument;
}

/** A ROOT_REF: its object is the parent, its offset the subvolume; the data are inode, sequence, length of the name, name. */
export function parseLink({ object, offset, data }: BtrfsItem): SubvolumeLink {
  const length = data.readUInt16LE(16);
  return {
    id: offset,
    parent: object,
    folder: data.readBigUInt64LE(0),
    name: data.toString('utf8', 18, 18 + length),
  };
}

async function holderOf(folder: string): Promise<bigint> {
  const argument = Buffer.alloc(4096);
  argument.writeBigUInt64LE(rootInode, 8);
  await askBtrfs(folder, 'INO_LOOKUP', argument);
  return argument.readBigUInt64LE(0);
}

/** Kernels before 6.9 take any folder for the subvolume it lies in: a snapshot of that would be one of the whole pool. */
async function assertSubvolume(path: string): Promise<void> {
  const { ino } = await stat(path, { bigint: true });
  if (ino === rootInode) return;
  throw new BerthError('FAILED_PRECONDITION', `${path} is no subvolume but a folder inside one`);
}

/** The subvolumes of this kernel. Needs CAP_SYS_ADMIN and Linux 5.7. */
export function kernelSubvolumes(): Subvolumes {
  return {
    isBtrfs: async (folder) => (await statfs(folder, { bigint: true })).type === BTRFS_SUPER_MAGIC,
    copies: readCopies,
    takeForTrees: (mountPoint, every) => reconfigure(mountPoint, 'metadata_ratio', String(every)),
    create: async (path) => {
      await askBtrfs(dirname(path), 'SUBVOL_CREATE_V2', volumeArgument(0n, basename(path)));
    },
    snapshot: async ({ source, target, readonly }) => {
      await assertSubvolume(source);
      await withFolder(source, (fd) =>
        askBtrfs(dirname(target), 'SNAP_CREATE_V2', volumeArgument(readonly ? READONLY : 0n, basename(target), fd)),
      );
    },
    setReadonly: async (folder, id, readonly) => {
      await askSubvolume(folder, id, 'SUBVOL_SETFLAGS', words(readonly ? READONLY : 0n));
    },
    idOf: async (path) => {
      await assertSubvolume(path);
      return await holderOf(path);
    },
    holderOf,
    destroy: async (folder, id) => {
      await askBtrfs(folder, 'SNAP_DESTROY_V2', volumeArgument(BY_ID, id));
    },
    exists: async (folder, id) => {
      const [first, last] = [
        { object: id, type: ROOT_ITEM, offset: 0n },
        { object: id, type: ROOT_ITEM, offset: lastOffset },
      ];
      return (await searchTree(folder, btrfsTrees.root, { first, last })).length > 0;
    },
    links: async (folder, parent) => {
      const [first, last] = [
        { object: parent ?? topSubvolume, type: ROOT_REF, offset: 0n },
        { object: parent ?? lastSubvolume, type: ROOT_REF, offset: lastOffset },
      ];
      const items = await searchTree(folder, btrfsTrees.root, { first, last });
      return items.filter(({ type }) => type === ROOT_REF).map(parseLink);
    },
    commit: async (folder) => {
      const transaction = words(0n);
      await askBtrfs(folder, 'START_SYNC', transaction);
      await askBtrfs(folder, 'WAIT_SYNC', transaction);
    },
    clean: async (folder) => {
      await askBtrfs(folder, 'SYNC', null);
    },
  };
}
