/**
 * A kernel for storage that keeps state in memory: loop devices, the mount table, and which file holds which filesystem.
 * Files and folders are real ones, so it needs no root. `storagecontract.ts` holds it to what the real one does.
 */
import { stat } from 'node:fs/promises';
import { BerthError } from '../../kit/errors.ts';
import { blockCgroups } from '../blockcgroup.ts';
import type { BlockCgroups } from '../blockcgroup.ts';
import type { Filesystems } from '../filesystem.ts';
import { SystemCallError } from '../libc.ts';
import type { LoopDevice, LoopDevices } from '../loop.ts';
import type { Mounts } from '../mount.ts';
import { coveringMount } from '../mountinfo.ts';
import type { MountEntry } from '../mountinfo.ts';
import type { Content } from '../superblock.ts';
import { FakeFiles } from './storagefiles.ts';

const [ENOENT, EBUSY, EINVAL] = [2, 16, 22];

/** Where a failure can be set: before the named effect happens. */
export type Effect =
  | 'allocate'
  | 'extend'
  | 'clone'
  | 'copy'
  | 'format'
  | 'identify'
  | 'check'
  | 'attach'
  | 'detach'
  | 'growDevice'
  | 'growMounted'
  | 'growUnmounted'
  | 'freeze'
  | 'thaw'
  | 'writeBack'
  | 'mount'
  | 'bind'
  | 'unmount';

interface FakeStorageOptions {
  /** The pool's filesystem: `xfs` (the default) and `btrfs` share bytes, `ext4` does not. */
  readonly pool?: 'xfs' | 'btrfs' | 'ext4';
  /** What CAP_SYS_RESOURCE permits; default true. */
  readonly ext4GrowsMounted?: boolean;
}

/** The bytes of `size=` among a tmpfs' options. */
function sizeOption(options: readonly string[]): bigint | undefined {
  const [, bytes] = /(?:^|,)size=(\d+)(?:,|$)/.exec(options.join(',')) ?? [];
  return bytes === undefined ? undefined : BigInt(bytes);
}

/** The node's root, shared with pods as systemd makes it. */
const rootMount: MountEntry = {
  id: 1,
  parent: 0,
  device: '0:1',
  root: '/',
  mountPoint: '/',
  options: ['rw'],
  tags: ['shared:1'],
  fsType: 'rootfs',
  source: 'rootfs',
  superOptions: ['rw'],
};

interface Attached {
  readonly device: LoopDevice;
  bytes: bigint;
  discard: boolean;
}

export class FakeStorageKernel {
  readonly totalBytes: bigint;
  /** None; a test that wants limits brings some (`FakeCgroups`). */
  cgroups: BlockCgroups = blockCgroups('/nowhere');
  readonly #options: FakeStorageOptions;
  readonly #files: FakeFiles;
  /** By the file's key. */
  readonly #attached = new Map<string, Attached>();
  readonly #frozen = new Set<string>();
  readonly #failures = new Map<Effect, unknown>();
  /** Sizes of tmpfs by their device. */
  readonly #memory = new Map<string, bigint>();
  #mounts: MountEntry[] = [rootMount];
  #nextId = 100;

  constructor(totalBytes: bigint, options: FakeStorageOptions = {}) {
    this.totalBytes = totalBytes;
    this.#options = options;
    this.#files = new FakeFiles(totalBytes);
  }

  /** Makes the next effect of this kind fail. */
  failNext(effect: Effect, error: unknown): void {
    this.#failures.set(effect, error);
  }

  /** What a reboot does: no mounts, no loop devices, nothing frozen; files stay, what was mounted is not clean. */
  reboot(): void {
    for (const [key] of this.#attached) this.#markUnclean(key);
    this.#mounts = [rootMount];
    this.#attached.clear();
    this.#frozen.clear();
  }

  /** Remembers this instant; the function brings it back, files with all names they had then. */
  save(): () => void {
    const [attached, mounts, frozen] = [structuredClone(this.#attached), [...this.#mounts], [...this.#frozen]];
    const restoreFiles = this.#files.save();
    return () => {
      this.#attached.clear();
      for (const [key, device] of attached) this.#attached.set(key, device);
      this.#mounts = mounts;
      this.#frozen.clear();
      for (const key of frozen) this.#frozen.add(key);
      restoreFiles();
    };
  }

  /** Attached device paths and mount points, for assertions on state. */
  dump(): { readonly loops: readonly string[]; readonly mounts: readonly string[] } {
    return {
      loops: [...this.#attached.values()].map(({ device }) => device.path).sort(),
      mounts: this.#mounts
        .slice(1)
        .map((mount) => `${mount.mountPoint}${mount.options.includes('ro') ? ' ro' : ''}`)
        .sort(),
    };
  }

  /** Device paths of the filesystems whose writers are stopped. */
  frozen(): readonly string[] {
    return [...this.#frozen].flatMap((key) => this.#attached.get(key)?.device.path ?? []).sort();
  }

  /** Puts foreign content into a file, as a pod with a raw block volume or a broken disk does. */
  async overwrite(file: string, content: Content): Promise<void> {
    const found = this.#files.get(await this.#files.keyOf(file));
    if (found !== undefined) found.content = content;
  }

  /** Writes a range of a volume's image, as a pod does: space is taken as the pool's filesystem takes it. Throws ENOSPC. */
  async write(file: string, offset: bigint, length: bigint): Promise<void> {
    const found = this.#files.get(await this.#files.keyOf(file));
    if (found === undefined) throw new SystemCallError('write', ENOENT, file);
    this.#files.write(found, file, { begin: offset, end: offset + length });
  }

  #step(effect: Effect): void {
    if (!this.#failures.has(effect)) return;
    const error = this.#failures.get(effect);
    this.#failures.delete(effect);
    throw error;
  }

  #byPath(path: string): (Attached & { readonly key: string }) | undefined {
    for (const [key, attached] of this.#attached) if (attached.device.path === path) return { key, ...attached };
    return undefined;
  }

  /** Key of the file whose filesystem the mount shows. btrfs has device numbers of its own; only its source tells. */
  #keyBehind(mount: MountEntry): string | undefined {
    for (const [key, { device }] of this.#attached) {
      if (mount.device === device.device || (mount.fsType === 'btrfs' && mount.source === device.path)) return key;
    }
    return undefined;
  }

  #isMounted(key: string): boolean {
    return this.#mounts.some((mount) => mount.fsType !== 'devtmpfs' && this.#keyBehind(mount) === key);
  }

  #markUnclean(key: string): void {
    const file = this.#files.get(key);
    if (file?.content.kind === 'filesystem' && this.#isMounted(key) && !this.#frozen.has(key)) file.clean = false;
  }

  /** The file behind a place that was listed; throws as the kernel's opening does when it is gone or covered. */
  #behind({ id, mountPoint }: Pick<MountEntry, 'id' | 'mountPoint'>): string {
    const top = this.#mounts.findLast((mount) => mount.mountPoint === mountPoint);
    const key = top === undefined ? undefined : this.#keyBehind(top);
    if (top?.id === id && key !== undefined) return key;
    throw new BerthError('BUSY', `another filesystem is mounted over ${mountPoint}; try again`);
  }

  readonly loops: LoopDevices = {
    find: async (file) => this.#attached.get(await this.#files.keyOf(file))?.device,
    attach: async (file, { readonly, discard = false }) => {
      this.#step('attach');
      const key = await this.#files.keyOf(file);
      const present = this.#attached.get(key);
      if (present !== undefined && present.device.readonly !== readonly)
        throw new BerthError('FAILED_PRECONDITION', `${file} is attached already`);
      if (present !== undefined) {
        present.discard = discard;
        present.bytes = (await stat(file, { bigint: true })).size;
        return present.device;
      }
      const taken = new Set([...this.#attached.values()].map(({ device }) => device.number));
      let number = 0;
      while (taken.has(number)) number++;
      // Room for partitions (max_part), as some kernels have it: then the minor number is not the device's.
      const id = `7:${number * 8}`;
      const device = { number, path: `/dev/loop${number}`, device: id, directIo: true, readonly };
      this.#attached.set(key, { device, bytes: (await stat(file, { bigint: true })).size, discard });
      return device;
    },
    grow: async (file) => {
      this.#step('growDevice');
      const attached = this.#attached.get(await this.#files.keyOf(file));
      if (attached !== undefined) attached.bytes = (await stat(file, { bigint: true })).size;
    },
    detach: async (file) => {
      this.#step('detach');
      const key = await this.#files.keyOf(file);
      const attached = this.#attached.get(key);
      if (attached === undefined) return;
      const { number, path } = attached.device;
      const used = this.#isMounted(key) || this.#mounts.some(({ root }) => root === `/loop${number}`);
      if (used) throw new BerthError('BUSY', `${path} is still used`);
      this.#attached.delete(key);
    },
  };

  readonly mounts: Mounts = {
    list: () => Promise.resolve([...this.#mounts]),
    mount: async ({ source, target, fsType, options }) => {
      this.#step('mount');
      if (fsType === 'tmpfs') {
        await this.#mountMemory(source, target, options);
        return;
      }
      const found = this.#byPath(source);
      if (found === undefined) throw new SystemCallError('mount', ENOENT, source);
      if (!(await stat(target)).isDirectory()) throw new SystemCallError('mount', EINVAL, target);
      const content = this.#files.get(found.key)?.content;
      if (content?.kind !== 'filesystem' || content.type !== fsType)
        throw new SystemCallError('mount', EINVAL, `${fsType} on ${source}`);
      const { device, number } = found.device;
      const shown = fsType === 'btrfs' ? `0:${200 + number}` : device;
      this.#add({ device: shown, root: '/', mountPoint: target, fsType, source }, options);
    },
    remount: ({ target, options }) => {
      const mount = this.#mounts.findLast(({ mountPoint }) => mountPoint === target);
      const size = sizeOption(options);
      if (mount === undefined || size === undefined || !this.#memory.has(mount.device))
        return Promise.reject(new SystemCallError('remount', EINVAL, target));
      this.#memory.set(mount.device, size);
      return Promise.resolve();
    },
    bind: async ({ source, target, readonly, options: words = [] }) => {
      this.#step('bind');
      await stat(target);
      const options = readonly ? ['ro'] : words;
      if (this.#byPath(source) !== undefined) {
        this.#add({ device: '0:6', root: source.slice(4), mountPoint: target, fsType: 'devtmpfs', source }, options);
        return;
      }
      const below = this.#mounts.findLast((mount) => mount.mountPoint === source);
      if (below === undefined) throw new SystemCallError('open_tree', EINVAL, source);
      this.#add({ ...below, mountPoint: target }, options);
    },
    unmount: async (target) => {
      this.#step('unmount');
      await stat(target);
      const index = this.#mounts.findLastIndex((mount) => mount.mountPoint === target);
      if (index < 0) throw new SystemCallError('umount', EINVAL, target);
      if (this.busy.has(target)) throw new SystemCallError('umount', EBUSY, target);
      const [gone] = this.#mounts.splice(index, 1);
      const key = gone === undefined ? undefined : this.#keyBehind(gone);
      const file = key === undefined ? undefined : this.#files.get(key);
      if (file !== undefined && key !== undefined && !this.#isMounted(key)) file.clean = true;
    },
  };

  async #mountMemory(source: string, target: string, options: readonly string[]): Promise<void> {
    if (!(await stat(target)).isDirectory()) throw new SystemCallError('mount', EINVAL, target);
    const size = sizeOption(options);
    if (size === undefined) throw new SystemCallError('mount', EINVAL, options.join(','));
    const device = `0:${this.#nextId}`;
    this.#memory.set(device, size);
    this.#add({ device, root: '/', mountPoint: target, fsType: 'tmpfs', source }, options);
  }

  /** Mount points somebody has a file open below. */
  readonly busy = new Set<string>();

  #add(
    entry: Pick<MountEntry, 'device' | 'root' | 'mountPoint' | 'fsType' | 'source'>,
    options: readonly string[],
  ): void {
    const id = this.#nextId++;
    const access = options.includes('ro') ? ['ro'] : ['rw'];
    this.#mounts.push({ ...entry, id, parent: 1, options: access, tags: [], superOptions: access });
  }

  async #keyOfPath(file: string): Promise<string> {
    return this.#byPath(file)?.key ?? (await this.#files.keyOf(file));
  }

  #growFilesystem(key: string): void {
    const [file, attached] = [this.#files.get(key), this.#attached.get(key)];
    if (file !== undefined && attached !== undefined) file.filesystemBytes = attached.bytes;
  }

  readonly filesystems: Filesystems = {
    abilitiesOf: async (folder) => {
      await stat(folder);
      const type = this.#options.pool ?? 'xfs';
      return { type, reflink: type !== 'ext4' };
    },
    overwriteInPlace: async (folder) => {
      await stat(folder);
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    allocate: async (path, bytes, { sparse = false } = {}) => {
      this.#step('allocate');
      this.#files.extend(this.#files.make(path), path, bytes, sparse);
    },
    extend: async (path, bytes, { sparse = false } = {}) => {
      this.#step('extend');
      const file = this.#files.get(await this.#files.keyOf(path));
      if (file === undefined) throw new SystemCallError('open', ENOENT, path);
      this.#files.extend(file, path, bytes, sparse);
    },
    clone: async (source, target) => {
      this.#step('clone');
      const key = await this.#files.keyOf(source);
      if (this.#options.pool === 'ext4') throw new BerthError('UNSUPPORTED', 'files here cannot share their bytes');
      const made = this.#files.duplicate(source, target, true);
      if (this.#isMounted(key) && !this.#frozen.has(key)) made.clean = false;
    },
    copy: async (source, target) => {
      this.#step('copy');
      const key = await this.#files.keyOf(source);
      const made = this.#files.duplicate(source, target, false);
      if (this.#isMounted(key) && !this.#frozen.has(key)) made.clean = false;
    },
    extents: async (path) => this.#files.get(await this.#files.keyOf(path))?.extents ?? [],
    format: async (path, { type, uuid }) => {
      this.#step('format');
      const file = this.#files.get(await this.#files.keyOf(path));
      if (file?.content.kind !== 'empty')
        throw new BerthError('FAILED_PRECONDITION', `${path} holds something already`);
      file.content = { kind: 'filesystem', type, uuid };
      file.filesystemBytes = (await stat(path, { bigint: true })).size;
    },
    identify: async (path) => {
      this.#step('identify');
      return this.#files.get(await this.#keyOfPath(path))?.content ?? { kind: 'unknown' };
    },
    examine: async (path) => ({
      content: await this.filesystems.identify(path),
      state: await this.filesystems.stateOf(path),
    }),
    stateOf: async (path) => {
      const file = this.#files.get(await this.#keyOfPath(path));
      const type = file?.content.kind === 'filesystem' ? file.content.type : undefined;
      if (file === undefined || (type !== 'xfs' && type !== 'ext4' && type !== 'btrfs')) return undefined;
      return { type, bytes: file.filesystemBytes, clean: type !== 'ext4' || file.clean, faulty: false };
    },
    check: async (device) => {
      this.#step('check');
      const file = this.#files.get(await this.#keyOfPath(device));
      if (file !== undefined) file.clean = true;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    growMounted: async (mount) => {
      this.#step('growMounted');
      const key = this.#behind(mount);
      const behind = (this.#files.get(key)?.filesystemBytes ?? 0n) < (this.#attached.get(key)?.bytes ?? 0n);
      if (behind && mount.fsType === 'ext4' && this.#options.ext4GrowsMounted === false) {
        throw new BerthError('FAILED_PRECONDITION', 'the kernel lets an ext4 grow only with CAP_SYS_RESOURCE');
      }
      this.#growFilesystem(key);
    },
    growUnmounted: async (device) => {
      this.#step('growUnmounted');
      const key = await this.#keyOfPath(device);
      const content = this.#files.get(key)?.content;
      if (content?.kind === 'filesystem' && content.type === 'ext4') this.#growFilesystem(key);
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    freeze: async (mount) => {
      this.#step('freeze');
      const key = this.#behind(mount);
      if (this.#frozen.has(key)) return false;
      this.#frozen.add(key);
      return true;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    thaw: async (mount) => {
      this.#step('thaw');
      return this.#frozen.delete(this.#behind(mount));
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    writeBack: async (device) => {
      this.#step('writeBack');
      if (this.#byPath(device) === undefined) throw new SystemCallError('open', ENOENT, device);
    },
    usage: async (path) => {
      await stat(path);
      const size = this.#memory.get(coveringMount(this.#mounts, path)?.device ?? '');
      if (size !== undefined) {
        const files = { total: size / 16384n, used: 1n, available: size / 16384n - 1n };
        return { bytes: { total: size, used: 0n, available: size }, inodes: files };
      }
      const free = this.#files.freeBytes();
      const bytes = { total: this.totalBytes, used: this.totalBytes - free, available: free };
      return { bytes, inodes: { total: 1000n, used: 10n, available: 990n } };
    },
  };
}
