/** Mounting and unmounting in this mount namespace. Blocking calls run on worker threads: a dirty unmount takes seconds. */
import { check, libc, libcAsync, SystemCallError } from './libc.ts';
import { readMountInfo } from './mountinfo.ts';
import type { MountEntry } from './mountinfo.ts';
import { bindAttributes, splitMountOptions } from './mountoptions.ts';
import { mountTable } from './mounttable.ts';

/** The mount table and the changes storage makes to it. Every failure is a SystemCallError with its errno. */
export interface Mounts {
  /** What is mounted now, where and how. `superOptions` and `tags` may be older: those are for `listNow`. */
  list(): Promise<readonly MountEntry[]>;
  /** The same with all fields as they are now: reads the whole table, which takes a millisecond where there are hundreds of mounts. */
  listNow(): Promise<readonly MountEntry[]>;
  /**
   * Mounts the filesystem on the block device `source` at the folder `target`. `options` are words (`noatime`, `ro`). Of a
   * filesystem without a device (tmpfs) `source` is a name that the mount table shows.
   */
  mount(request: {
    readonly source: string;
    readonly target: string;
    readonly fsType: string;
    readonly options: readonly string[];
  }): Promise<void>;
  /** Changes options of the filesystem that is mounted at `target`, such as a tmpfs' size. EINVAL: more is in it than that. */
  remount(request: { readonly target: string; readonly options: readonly string[] }): Promise<void>;
  /**
   * Shows `source` (a folder or a device node) also at `target`; read-only from its first instant when asked. It has the
   * source's properties and those of `options` that a bind mount can have for itself (see `bindAttributes`).
   */
  bind(request: {
    readonly source: string;
    readonly target: string;
    readonly readonly: boolean;
    readonly options?: readonly string[];
  }): Promise<void>;
  /** Takes the topmost mount off `target`. EINVAL: nothing is mounted there. EBUSY: somebody uses it. */
  unmount(target: string): Promise<void>;
}

const mountCall = libcAsync(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const unmountCall = libcAsync('int umount2(const char *target, int flags)');
const closeCall = libc('int close(int fd)');
const openTree = libc('long syscall(long number, int folder, const char *path, unsigned int flags)');
const setAttributes = libc(
  'long syscall(long number, int folder, const char *path, unsigned int flags, void *attributes, size_t size)',
);
const moveMount = libcAsync(
  'long syscall(long number, int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
);

// Calls newer than 5.1 have one number on every architecture (asm-generic/unistd.h).
const OPEN_TREE = 428;
const MOVE_MOUNT = 429;
const MOUNT_SETATTR = 442;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MS_REMOUNT = 32;
const UMOUNT_NOFOLLOW = 8;

/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd, 64 bits each. Undefined when nothing is to be changed. */
function attributesOf(options: readonly string[]): Uint8Array | undefined {
  const { set, clear } = bindAttributes(options);
  if (set === 0n && clear === 0n) return undefined;
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(set, 0);
  attributes.writeBigUInt64LE(clear, 8);
  return attributes;
}

async function bind(source: string, target: string, options: readonly string[]): Promise<void> {
  // A detached copy made read-only before it is attached: with bind-then-remount there is a moment in which a
  // read-only publish can be written to.
  const tree = check(openTree(OPEN_TREE, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), 'open_tree', source);
  try {
    const attributes = attributesOf(options);
    if (attributes !== undefined)
      check(setAttributes(MOUNT_SETATTR, tree, '', AT_EMPTY_PATH, attributes, 32), 'mount_setattr', source);
    const moved = await moveMount(MOVE_MOUNT, tree, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    check(moved.result, 'move_mount', target, moved.errno);
  } finally {
    closeCall(tree);
  }
}

/** The mounts of this process's namespace. Needs CAP_SYS_ADMIN and, for read-only binds, Linux 5.12. */
export function kernelMounts(): Mounts {
  return {
    list: () => Promise.try(mountTable),
    listNow: () => Promise.try(readMountInfo),
    async mount({ source, target, fsType, options }) {
      const { flags, data } = splitMountOptions(options);
      const { result, errno } = await mountCall(source, target, fsType, flags, data);
      if (result < 0) throw new SystemCallError('mount', errno, `${fsType} on ${source} at ${target}`);
    },
    async remount({ target, options }) {
      const { flags, data } = splitMountOptions(options);
      const { result, errno } = await mountCall('none', target, 'none', flags | MS_REMOUNT, data);
      if (result < 0) throw new SystemCallError('remount', errno, target);
    },
    bind: ({ source, target, readonly, options = [] }) => bind(source, target, readonly ? [...options, 'ro'] : options),
    async unmount(target) {
      // Never through a symbolic link somebody has put in the target's place.
      const { result, errno } = await unmountCall(target, UMOUNT_NOFOLLOW);
      check(result, 'umount', target, errno);
    },
  };
}
