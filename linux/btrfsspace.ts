/** How many copies of what is written a btrfs keeps: its profiles, from BTRFS_IOC_SPACE_INFO. */
import { askBtrfs } from './btrfsioctl.ts';

export interface BtrfsCopies {
  /** Of the bytes of files. */
  readonly data: number;
  /** Of names, attributes and small files. Two on a single disk, unless it was made with `mkfs.btrfs -m single`. */
  readonly metadata: number;
}

const [DATA, METADATA] = [1n, 4n];
const headBytes = 16;
const entryBytes = 24;
/** One for each kind and profile there is; more than a filesystem has while it is converted. */
const slots = 64;

/** Bits of a profile (RAID1, DUP, RAID10, RAID6, RAID1C3, RAID1C4) and the copies it keeps; parity counts as one. */
const profiles: readonly (readonly [bigint, number])[] = [
  [0x10n, 2],
  [0x20n, 2],
  [0x40n, 2],
  [0x200n, 3],
  [0x400n, 4],
];

function copiesOf(flags: bigint): number {
  return profiles.find(([bit]) => (flags & bit) !== 0n)?.[1] ?? 1;
}

/** Copies in an answer of the kernel; the most, while a filesystem is between two profiles. */
export function parseCopies(answer: Buffer): BtrfsCopies {
  const count = Math.min(Number(answer.readBigUInt64LE(8)), Math.floor((answer.length - headBytes) / entryBytes));
  const flags = Array.from({ length: count }, (_, i) => answer.readBigUInt64LE(headBytes + i * entryBytes));
  const most = (kind: bigint): number => Math.max(1, ...flags.filter((each) => (each & kind) !== 0n).map(copiesOf));
  return { data: most(DATA), metadata: most(METADATA) };
}

/** The copies the filesystem of the folder keeps. Throws SystemCallError. */
export async function readCopies(folder: string): Promise<BtrfsCopies> {
  const argument = Buffer.alloc(headBytes + slots * entryBytes);
  argument.writeBigUInt64LE(BigInt(slots), 0);
  await askBtrfs(folder, 'SPACE_INFO', argument);
  return parseCopies(argument);
}
