/**
 * A kernel for storage that keeps state in memory: loop devices, the mount table, and which file holds which filesystem.
 * Files and folders are real ones, so it needs no root. `storagecontract.ts` holds it to what the real one does.
 */
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { BerthError } from '../../kit/errors.ts';
import type { Filesystems } from '../filesystem.ts';
import { SystemCallError } from '../libc.ts';
import type { LoopDevice, LoopDevices } from '../loop.ts';
import type { Mounts } from '../mount.ts';
import type { MountEntry } from '../mountinfo.ts';
import type { Content } from '../superblock.ts';

const [ENOENT, EBUSY, EINVAL, ENOSPC] = [2, 16, 22, 28];

/** Where a failure can be set: before the named effect happens. */
export type Effect = 'allocate' | 'format' | 'identify' | 'attach' | 'detach' | 'mount' | 'bind' | 'unmount';

async function keyOf(file: string): Promise<string> {
  const { dev, ino } = await stat(file, { bigint: true });
  return `${dev}:${ino}`;
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

export class FakeStorageKernel {
  /** Bytes of the pool's filesystem that nobody has taken. */
  freeBytes: bigint;
  readonly totalBytes: bigint;
  readonly #attached = new Map<string, LoopDevice>();
  readonly #contents = new Map<string, Content>();
  /** Allocated files, held open so that the file is known under any name it is moved to. */
  readonly #allocated = new Map<number, bigint>();
  readonly #failures = new Map<Effect, unknown>();
  #mounts: MountEntry[] = [rootMount];
  #nextId = 100;

  constructor(totalBytes: bigint) {
    this.totalBytes = totalBytes;
    this.freeBytes = totalBytes;
  }

  /** Makes the next effect of this kind fail. */
  failNext(effect: Effect, error: unknown): void {
    this.#failures.set(effect, error);
  }

  /** What a reboot does: no mounts, no loop devices; files stay. */
  reboot(): void {
    this.#mounts = [rootMount];
    this.#attached.clear();
  }

  /** Attached device paths and mount points, for assertions on state. */
  dump(): { readonly loops: readonly string[]; readonly mounts: readonly string[] } {
    return {
      loops: [...this.#attached.values()].map((device) => device.path).sort(),
      mounts: this.#mounts
        .slice(1)
        .map((mount) => `${mount.mountPoint}${mount.options.includes('ro') ? ' ro' : ''}`)
        .sort(),
    };
  }

  #step(effect: Effect): void {
    if (!this.#failures.has(effect)) return;
    const error = this.#failures.get(effect);
    this.#failures.delete(effect);
    throw error;
  }

  #device(path: string): { readonly key: string; readonly device: LoopDevice } | undefined {
    for (const [key, device] of this.#attached) if (device.path === path) return { key, device };
    return undefined;
  }

  #usedBy(device: LoopDevice): boolean {
    return this.#mounts.some((mount) => mount.device === device.device);
  }

  /** Space of files without a name is free again. */
  #collect(): void {
    for (const [descriptor, bytes] of this.#allocated) {
      if (fstatSync(descriptor).nlink > 0) continue;
      closeSync(descriptor);
      this.#allocated.delete(descriptor);
      this.freeBytes += bytes;
    }
  }

  readonly loops: LoopDevices = {
    find: async (file) => this.#attached.get(await keyOf(file)),
    attach: async (file, { readonly }) => {
      this.#step('attach');
      const key = await keyOf(file);
      const present = this.#attached.get(key);
      if (present !== undefined && present.readonly !== readonly)
        throw new BerthError('FAILED_PRECONDITION', `${file} is attached already`);
      const taken = new Set([...this.#attached.values()].map((device) => device.number));
      let number = 0;
      while (taken.has(number)) number++;
      // Room for partitions (max_part), as some kernels have it: then the minor number is not the device's.
      const id = `7:${number * 8}`;
      const device = present ?? { number, path: `/dev/loop${number}`, device: id, directIo: true, readonly };
      this.#attached.set(key, device);
      return device;
    },
    detach: async (file) => {
      this.#step('detach');
      const key = await keyOf(file);
      const device = this.#attached.get(key);
      if (device === undefined) return;
      if (this.#usedBy(device)) throw new BerthError('BUSY', `${device.path} is still used`);
      this.#attached.delete(key);
    },
  };

  readonly mounts: Mounts = {
    list: () => Promise.resolve([...this.#mounts]),
    mount: async ({ source, target, fsType, options }) => {
      this.#step('mount');
      const found = this.#device(source);
      if (found === undefined) throw new SystemCallError('mount', ENOENT, source);
      if (!(await stat(target)).isDirectory()) throw new SystemCallError('mount', EINVAL, target);
      const content = this.#contents.get(found.key);
      if (content?.kind !== 'filesystem' || content.type !== fsType)
        throw new SystemCallError('mount', EINVAL, `${fsType} on ${source}`);
      this.#add({ device: found.device.device, root: '/', mountPoint: target, fsType, source }, options);
    },
    bind: async ({ source, target, readonly }) => {
      this.#step('bind');
      await stat(target);
      const options = readonly ? ['ro'] : ['rw'];
      const block = this.#device(source);
      if (block !== undefined) {
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
      this.#mounts.splice(index, 1);
    },
  };

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

  readonly filesystems: Filesystems = {
    allocate: async (file, bytes) => {
      this.#step('allocate');
      const descriptor = openSync(file, 'wx', 0o600);
      this.#collect();
      if (bytes > this.freeBytes) {
        closeSync(descriptor);
        throw new SystemCallError('fallocate', ENOSPC, file);
      }
      this.freeBytes -= bytes;
      ftruncateSync(descriptor, Number(bytes));
      this.#allocated.set(descriptor, bytes);
      this.#contents.set(await keyOf(file), { kind: 'empty' });
    },
    format: async (file, { type, uuid }) => {
      this.#step('format');
      const key = await keyOf(file);
      const content = this.#contents.get(key) ?? { kind: 'empty' };
      if (content.kind !== 'empty') throw new BerthError('FAILED_PRECONDITION', `${file} holds something already`);
      this.#contents.set(key, { kind: 'filesystem', type, uuid });
    },
    identify: async (file) => {
      this.#step('identify');
      const device = this.#device(file);
      const key = device?.key ?? (await keyOf(file));
      return this.#contents.get(key) ?? { kind: 'unknown' };
    },
    usage: async (path) => {
      await stat(path);
      this.#collect();
      const used = this.totalBytes - this.freeBytes;
      const bytes = { total: this.totalBytes, used, available: this.freeBytes };
      return { bytes, inodes: { total: 1000n, used: 10n, available: 990n } };
    },
  };

  /** Puts foreign content into a file, as a pod with a raw block volume or a broken disk does. */
  async overwrite(file: string, content: Content): Promise<void> {
    this.#contents.set(await keyOf(file), content);
  }
}
