/** Recognises what the beginning of a file or device holds. Only `empty` may ever be formatted; everything else is data. */

/** What was found. `unknown` is data of no recognised kind: treated as precious. */
export type Content =
  | { readonly kind: 'empty' }
  | { readonly kind: 'filesystem'; readonly type: string; readonly uuid: string }
  | { readonly kind: 'other'; readonly type: string }
  | { readonly kind: 'unknown' };

/** What a filesystem says of itself. */
export interface FilesystemState {
  readonly type: 'xfs' | 'ext4' | 'btrfs';
  /** Size of the filesystem; at most that of its device. */
  readonly bytes: bigint;
  /**
   * False when it has to be checked before it is mounted: ext4 whose journal is to be replayed or that met an error, XFS
   * that was never made to the end or whose repair was broken off. XFS and btrfs replay their logs when they are mounted.
   */
  readonly clean: boolean;
  /** True when replaying a journal is not enough: ext4 that met an error, and XFS that is not clean. */
  readonly faulty: boolean;
}

/** How many bytes from the start `identifyContent` wants to see (the farthest superblock is btrfs' at 64 KiB). */
export const identifyBytes = 128 * 1024;

const zeroes = Buffer.alloc(identifyBytes);

function uuidAt(bytes: Buffer, offset: number): string {
  const hex = bytes.toString('hex', offset, offset + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function extType(bytes: Buffer): string {
  const compatible = bytes.readUInt32LE(0x45c);
  const incompatible = bytes.readUInt32LE(0x460);
  // ext4: extents, 64bit or flex_bg; ext3: a journal and none of them.
  if ((incompatible & (0x40 | 0x80 | 0x200)) !== 0) return 'ext4';
  return (compatible & 0x4) !== 0 ? 'ext3' : 'ext2';
}

const others: readonly { readonly type: string; readonly offset: number; readonly magic: string }[] = [
  { type: 'swap', offset: 4086, magic: 'SWAPSPACE2' },
  { type: 'luks', offset: 0, magic: 'LUKS\xba\xbe' },
  { type: 'lvm', offset: 512, magic: 'LABELONE' },
  { type: 'gpt', offset: 512, magic: 'EFI PART' },
  { type: 'gpt', offset: 4096, magic: 'EFI PART' },
  { type: 'squashfs', offset: 0, magic: 'hsqs' },
  { type: 'iso9660', offset: 32769, magic: 'CD001' },
  { type: 'partition table', offset: 510, magic: '\x55\xaa' },
];

/** Reads the first `identifyBytes` bytes (or all, if there are fewer). */
export function identifyContent(bytes: Buffer): Content {
  const at = (offset: number, magic: string): boolean =>
    bytes.toString('latin1', offset, offset + magic.length) === magic;
  if (at(0, 'XFSB')) return { kind: 'filesystem', type: 'xfs', uuid: uuidAt(bytes, 32) };
  if (at(0x10040, '_BHRfS_M')) return { kind: 'filesystem', type: 'btrfs', uuid: uuidAt(bytes, 0x10020) };
  if (bytes.length >= 0x478 && bytes.readUInt16LE(0x438) === 0xef53) {
    return { kind: 'filesystem', type: extType(bytes), uuid: uuidAt(bytes, 0x468) };
  }
  for (const { type, offset, magic } of others) if (at(offset, magic)) return { kind: 'other', type };
  return bytes.equals(zeroes.subarray(0, bytes.length)) ? { kind: 'empty' } : { kind: 'unknown' };
}

function ext4State(bytes: Buffer): FilesystemState {
  const incompatible = bytes.readUInt32LE(0x460);
  const [recover, is64bit] = [(incompatible & 0x4) !== 0, (incompatible & 0x80) !== 0];
  const blocks = BigInt(bytes.readUInt32LE(0x404)) | (is64bit ? BigInt(bytes.readUInt32LE(0x550)) << 32n : 0n);
  const state = bytes.readUInt16LE(0x43a);
  // s_state: 1 is "unmounted cleanly", 2 is "errors were seen". A shift of more than 6 is no ext4.
  const shift = BigInt(Math.min(bytes.readUInt32LE(0x418), 6));
  return {
    type: 'ext4',
    bytes: blocks << (10n + shift),
    clean: !recover && (state & 3) === 1,
    faulty: (state & 2) !== 0,
  };
}

function xfsState(bytes: Buffer): FilesystemState {
  const size = bytes.readBigUInt64BE(8) * BigInt(bytes.readUInt32BE(4));
  // sb_inprogress; and of version 5 the incompatible feature NEEDSREPAIR.
  const isVersion5 = (bytes.readUInt16BE(100) & 0xf) === 5;
  const needsRepair = isVersion5 && (bytes.readUInt32BE(216) & 0x10) !== 0;
  const clean = bytes.readUInt8(126) === 0 && !needsRepair;
  return { type: 'xfs', bytes: size, clean, faulty: !clean };
}

/** State of a filesystem in the first `identifyBytes` bytes; undefined for everything that is not XFS, ext4 or btrfs. */
export function filesystemState(bytes: Buffer): FilesystemState | undefined {
  if (bytes.length < identifyBytes) return undefined;
  const content = identifyContent(bytes);
  if (content.kind !== 'filesystem') return undefined;
  if (content.type === 'xfs') return xfsState(bytes);
  if (content.type === 'ext4') return ext4State(bytes);
  // total_bytes of the device item in the superblock at 64 KiB.
  if (content.type === 'btrfs')
    return { type: 'btrfs', bytes: bytes.readBigUInt64LE(0x100d1), clean: true, faulty: false };
  return undefined;
}
