/** Files and filesystems for volumes: the bytes of an image, what they hold, and what can be done with it while it is mounted. */
import { constants } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { closeBeside, openFd } from '../kit/descriptors.ts';
import { BerthError } from '../kit/errors.ts';
import { writeBack } from './blockdevice.ts';
import { extentsOf } from './extents.ts';
import type { FileExtent } from './extents.ts';
import { overwriteInPlace } from './fileattributes.ts';
import { clone, copy } from './filecopy.ts';
import { abilitiesOf } from './filesystemkind.ts';
import type { FolderAbilities } from './filesystemkind.ts';
import { freeze, thaw } from './freeze.ts';
import { check } from './fsck.ts';
import { growMounted, growUnmounted } from './growth.ts';
import { allocate, extend, settle, settleFile } from './imagefile.ts';
import type { SpaceOptions } from './imagefile.ts';
import { makeFilesystem } from './mkfs.ts';
import type { FilesystemType } from './mkfs.ts';
import type { MountPlace } from './mountedfolder.ts';
import { identifyContent } from './superblock.ts';
import type { Content, FilesystemState } from './superblock.ts';
import { beginningOf, examine, filesystemStateOf, identify } from './superblockfile.ts';

export type { FilesystemType } from './mkfs.ts';

/** Bytes and inodes of a mounted filesystem. `available` is what an ordinary user can still take. */
export interface FilesystemUsage {
  readonly bytes: { readonly total: bigint; readonly used: bigint; readonly available: bigint };
  readonly inodes: { readonly total: bigint; readonly used: bigint; readonly available: bigint };
}

/** Files and devices that are symbolic links are refused with ELOOP. Nothing here blocks the event loop. */
export interface Filesystems {
  /** What files in a folder can do. Leaves nothing in the folder. */
  abilitiesOf(folder: string): Promise<FolderAbilities>;
  /** Makes files that are made in the folder from now on be overwritten in place (NOCOW) where that is not the rule: on btrfs. */
  overwriteInPlace(folder: string): Promise<void>;
  /**
   * Makes a new file of exactly `bytes` bytes, all of them allocated unless `sparse`, readable by root only; `settle` makes it durable.
   * Throws EEXIST when the name is taken, ENOSPC when the space is not there (a part of the file then remains).
   */
  allocate(file: string, bytes: bigint, options?: SpaceOptions): Promise<void>;
  /** Makes what is in a file durable, and the pool's figures of free space count it. */
  settle(file: string): Promise<void>;
  /**
   * Makes the file at least `bytes` bytes long, durably; unless `sparse` also allocates what of that is a hole. Never
   * shrinks it; repeatable. On ENOSPC the file has its old size.
   */
  extend(file: string, bytes: bigint, options?: SpaceOptions): Promise<void>;
  /**
   * Makes the new file `target`, readable by root only and durable, that shares the bytes of `source` as they are at one
   * moment. Throws EEXIST, and UNSUPPORTED where the filesystem cannot; on failure nothing remains.
   */
  clone(source: string, target: string): Promise<void>;
  /**
   * The same by copying what is not a hole. The source must not change meanwhile. Throws EEXIST and ENOSPC; on failure
   * nothing remains.
   */
  copy(source: string, target: string): Promise<void>;
  /**
   * The file's extents in order, after it was written back. Throws UNSUPPORTED where the filesystem does not tell, and
   * FAILED_PRECONDITION when there are too many to hold.
   */
  extents(file: string): Promise<readonly FileExtent[]>;
  /** Writes a filesystem into a file whose content is empty (see `identify`), keeping its space. It is settled when it returns. */
  format(file: string, request: { readonly type: FilesystemType; readonly uuid: string }): Promise<void>;
  /** Reads what a file or block device begins with. */
  identify(file: string): Promise<Content>;
  /** What `identify` and `stateOf` tell, of one reading. */
  examine(file: string): Promise<{ readonly content: Content; readonly state: FilesystemState | undefined }>;
  /** Size and state of the filesystem in a file or on a device that is not mounted; undefined when there is none of ours. */
  stateOf(file: string): Promise<FilesystemState | undefined>;
  /**
   * Corrects what can safely be corrected on a device that is not clean; does nothing to a clean or mounted one. Throws
   * FAILED_PRECONDITION when there is damage left.
   */
  check(device: string): Promise<void>;
  /**
   * Grows the filesystem to its device's size while it is used; nothing happens when it has that. Throws
   * FAILED_PRECONDITION for ext4 without CAP_SYS_RESOURCE.
   */
  growMounted(mount: MountPlace & { readonly fsType: string }, device: string): Promise<void>;
  /** Grows an unmounted ext4 to its device's size; others grow only mounted and stay as they are. */
  growUnmounted(device: string): Promise<void>;
  /** Writes back and stops writers until `thaw`, also of another process. False: it was frozen already. */
  freeze(mount: MountPlace): Promise<boolean>;
  /** Lets writers go on. False: it was not frozen. */
  thaw(mount: MountPlace): Promise<boolean>;
  /** Writes back what was written to a block device, down to the disk. */
  writeBack(device: string): Promise<void>;
  /** Usage of the filesystem that holds `path`. Whether that is the wanted one is the caller's question (mountinfo). */
  usage(path: string): Promise<FilesystemUsage>;
}

async function format(
  file: string,
  { type, uuid }: { readonly type: FilesystemType; readonly uuid: string },
): Promise<void> {
  const image = await openFd(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const content = identifyContent(await beginningOf(image));
    if (content.kind !== 'empty') {
      const found = content.kind === 'unknown' ? 'data' : content.type;
      throw new BerthError('FAILED_PRECONDITION', `${file} holds ${found} already; it is not formatted again`);
    }
    await makeFilesystem(file, type, uuid);
    await settle(image);
  } finally {
    closeBeside(image);
  }
}

async function usage(path: string): Promise<FilesystemUsage> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path, { bigint: true });
  return {
    bytes: { total: blocks * bsize, used: (blocks - bfree) * bsize, available: bavail * bsize },
    inodes: { total: files, used: files - ffree, available: ffree },
  };
}

/** The filesystems of this kernel and the programs of this machine that make, check and grow them. */
export function kernelFilesystems(): Filesystems {
  return {
    abilitiesOf,
    overwriteInPlace,
    allocate,
    settle: settleFile,
    extend,
    clone,
    copy,
    extents: extentsOf,
    format,
    identify,
    examine,
    stateOf: filesystemStateOf,
    check,
    growMounted,
    growUnmounted,
    freeze,
    thaw,
    writeBack,
    usage,
  };
}
