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
