/** Mount option words, as users write them, split into mount(2) flags and the data string for the filesystem. */

/** Bits of mount(2); the same on every architecture (linux/mount.h). */
export const mountFlags = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  DIRSYNC: 128,
  NOATIME: 1024,
  NODIRATIME: 2048,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

/** Words that are bits; `set` and `clear` follow in the order the words are written, so the last one wins. */
const words: Readonly<Record<string, { readonly set?: number; readonly clear?: number }>> = {
  ro: { set: mountFlags.RDONLY },
  rw: { clear: mountFlags.RDONLY },
  nosuid: { set: mountFlags.NOSUID },
  suid: { clear: mountFlags.NOSUID },
  nodev: { set: mountFlags.NODEV },
  dev: { clear: mountFlags.NODEV },
  noexec: { set: mountFlags.NOEXEC },
  exec: { clear: mountFlags.NOEXEC },
  sync: { set: mountFlags.SYNCHRONOUS },
  async: { clear: mountFlags.SYNCHRONOUS },
  dirsync: { set: mountFlags.DIRSYNC },
  noatime: { set: mountFlags.NOATIME, clear: mountFlags.STRICTATIME | mountFlags.RELATIME },
  atime: { clear: mountFlags.NOATIME },
  nodiratime: { set: mountFlags.NODIRATIME },
  diratime: { clear: mountFlags.NODIRATIME },
  relatime: { set: mountFlags.RELATIME, clear: mountFlags.NOATIME | mountFlags.STRICTATIME },
  strictatime: { set: mountFlags.STRICTATIME, clear: mountFlags.NOATIME | mountFlags.RELATIME },
  lazytime: { set: mountFlags.LAZYTIME },
  defaults: {},
};

/** Bits of mount_setattr(2); access times are one field of three bits. */
const attributes = {
  RDONLY: 0x1n,
  NOSUID: 0x2n,
  NODEV: 0x4n,
  NOEXEC: 0x8n,
  NOATIME: 0x10n,
  STRICTATIME: 0x20n,
  NODIRATIME: 0x80n,
} as const;
const accessTime = 0x70n;

/**
 * Words that are properties of one mount, which a bind mount can have for itself; all others are the filesystem's. `unset`
 * takes back what an earlier word has set, `clear` also what the source has.
 */
const ownWords: Readonly<Record<string, { readonly set?: bigint; readonly unset?: bigint; readonly clear?: bigint }>> =
  {
    ro: { set: attributes.RDONLY },
    rw: { unset: attributes.RDONLY },
    nosuid: { set: attributes.NOSUID },
    nodev: { set: attributes.NODEV },
    noexec: { set: attributes.NOEXEC },
    exec: { unset: attributes.NOEXEC },
    noatime: { set: attributes.NOATIME, clear: accessTime },
    atime: { clear: accessTime },
    relatime: { clear: accessTime },
    strictatime: { set: attributes.STRICTATIME, clear: accessTime },
    nodiratime: { set: attributes.NODIRATIME },
    diratime: { unset: attributes.NODIRATIME },
    async: {},
    defaults: {},
  };

export interface BindAttributes {
  /** Bits for mount_setattr; those to be cleared are cleared first. */
  readonly set: bigint;
  readonly clear: bigint;
  /** Words that a bind mount cannot have for itself. */
  readonly refused: readonly string[];
}

/** What option words mean for a bind mount. The last of several that contradict wins. */
export function bindAttributes(options: readonly string[]): BindAttributes {
  let [set, clear] = [0n, 0n];
  const refused: string[] = [];
  for (const option of options) {
    const word = Object.hasOwn(ownWords, option) ? ownWords[option] : undefined;
    if (word === undefined) {
      refused.push(option);
      continue;
    }
    set = (set & ~((word.clear ?? 0n) | (word.unset ?? 0n))) | (word.set ?? 0n);
    clear |= word.clear ?? 0n;
  }
  return { set, clear, refused };
}

export interface SplitOptions {
  /** Bits for mount(2). */
  readonly flags: number;
  /** What the filesystem itself reads, comma-separated. */
  readonly data: string;
}

/** Splits option words; a word that is no bit goes to the filesystem, which refuses what it does not know. */
export function splitMountOptions(options: readonly string[]): SplitOptions {
  let flags = 0;
  const data: string[] = [];
  for (const option of options) {
    const word = Object.hasOwn(words, option) ? words[option] : undefined;
    if (word === undefined) data.push(option);
    else flags = (flags & ~(word.clear ?? 0)) | (word.set ?? 0);
  }
  return { flags, data: data.join(',') };
}
