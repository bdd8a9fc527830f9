/** Reads items of a btrfs tree: BTRFS_IOC_TREE_SEARCH_V2. What is not committed yet is seen, too. Needs CAP_SYS_ADMIN. */
import { askBtrfs } from './btrfsioctl.ts';

/** The order of a tree: by object, then type, then offset. */
export interface BtrfsKey {
  readonly object: bigint;
  readonly type: number;
  readonly offset: bigint;
}

export interface BtrfsItem extends BtrfsKey {
  /** As on disk: little-endian. */
  readonly data: Buffer;
}

/** Trees by number (linux/btrfs_tree.h). */
export const btrfsTrees = { root: 1n, quota: 8n } as const;

export const lastOffset = (1n << 64n) - 1n;
const lastType = 255;

/** Sizes of struct btrfs_ioctl_search_args_v2 without its buffer, and of struct btrfs_ioctl_search_header. */
const argumentBytes = 112;
const headerBytes = 32;
/** One call has room for an item of any size: items are smaller than the largest node. */
const bufferBytes = 256 * 1024;

/** The argument for the items from `first` to `last`, both included. */
function searchArgument(tree: bigint, first: BtrfsKey, last: BtrfsKey): Buffer {
  const argument = Buffer.alloc(argumentBytes + bufferBytes);
  argument.writeBigUInt64LE(tree, 0);
  argument.writeBigUInt64LE(first.object, 8);
  argument.writeBigUInt64LE(last.object, 16);
  argument.writeBigUInt64LE(first.offset, 24);
  argument.writeBigUInt64LE(last.offset, 32);
  argument.writeBigUInt64LE(lastOffset, 48);
  argument.writeUInt32LE(first.type, 56);
  argument.writeUInt32LE(last.type, 60);
  argument.writeUInt32LE(0xffffffff, 64);
  argument.writeBigUInt64LE(BigInt(bufferBytes), 104);
  return argument;
}

/** The items in an argument that the kernel has filled. */
export function parseItems(argument: Buffer): BtrfsItem[] {
  const items: BtrfsItem[] = [];
  const count = argument.readUInt32LE(64);
  for (let at = argumentBytes; items.length < count && at + headerBytes <= argument.length;) {
    const data = at + headerBytes;
    const end = data + argument.readUInt32LE(at + 28);
    if (end > argument.length) break;
    items.push({
      object: argument.readBigUInt64LE(at + 8),
      offset: argument.readBigUInt64LE(at + 16),
      type: argument.readUInt32LE(at + 24),
      data: argument.subarray(data, end),
    });
    at = end;
  }
  return items;
}

/** The key after another, or undefined when it was the last there can be. */
export function keyAfter({ object, type, offset }: BtrfsKey): BtrfsKey | undefined {
  if (offset < lastOffset) return { object, type, offset: offset + 1n };
  if (type < lastType) return { object, type: type + 1, offset: 0n };
  return object < lastOffset ? { object: object + 1n, type: 0, offset: 0n } : undefined;
}

/**
 * Every item of the tree from `first` to `last`, of every type between them. `folder` is any of the filesystem. Throws
 * SystemCallError ENOENT when there is no such tree.
 */
export async function searchTree(
  folder: string,
  tree: bigint,
  { first, last }: { readonly first: BtrfsKey; readonly last: BtrfsKey },
): Promise<BtrfsItem[]> {
  const found: BtrfsItem[] = [];
  for (let from: BtrfsKey | undefined = first; from !== undefined;) {
    const argument = searchArgument(tree, from, last);
    await askBtrfs(folder, 'TREE_SEARCH_V2', argument);
    const items = parseItems(argument);
    found.push(...items);
    const reached = items.at(-1);
    // An answer may be less than would fit: only an empty one says that there is no more.
    from = reached === undefined ? undefined : keyAfter(reached);
    if (from !== undefined && comesAfter(from, last)) from = undefined;
  }
  return found;
}

function comesAfter(a: BtrfsKey, b: BtrfsKey): boolean {
  if (a.object !== b.object) return a.object > b.object;
  return a.type !== b.type ? a.type > b.type : a.offset > b.offset;
}
