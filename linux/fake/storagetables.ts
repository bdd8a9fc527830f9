/** What the fake storage kernel knows of devices and mounts: its tables, and which file is behind what. */
import { BerthError } from '../../kit/errors.ts';
import type { LoopDevice } from '../loop.ts';
import type { MountEntry } from '../mountinfo.ts';
import type { FakeFiles } from './storagefiles.ts';

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

/** A file on a loop device. */
interface Attached {
  readonly device: LoopDevice;
  bytes: bigint;
  discard: boolean;
}

export class FakeTables {
  readonly files: FakeFiles;
  /** By the file's key. */
  readonly attached = new Map<string, Attached>();
  /** Keys of files whose filesystem is frozen. */
  readonly frozen = new Set<string>();
  readonly failures = new Map<Effect, unknown>();
  /** Sizes of tmpfs by their device. */
  readonly memory = new Map<string, bigint>();
  /** Mount points somebody has a file open below. */
  readonly busy = new Set<string>();
  mounts: MountEntry[] = [rootMount];
  nextId = 100;

  constructor(files: FakeFiles) {
    this.files = files;
  }

  /** What a reboot does: no mounts, no loop devices, nothing frozen; what was mounted is not clean. */
  reboot(): void {
    for (const [key] of this.attached) this.markUnclean(key);
    this.mounts = [rootMount];
    this.attached.clear();
    this.frozen.clear();
  }

  /** Remembers this instant; the function brings it back. */
  save(): () => void {
    const [attached, mounts, frozen] = [structuredClone(this.attached), [...this.mounts], [...this.frozen]];
    return () => {
      this.attached.clear();
      for (const [key, device] of attached) this.attached.set(key, device);
      this.mounts = mounts;
      this.frozen.clear();
      for (const key of frozen) this.frozen.add(key);
    };
  }

  /** Throws what was set for this effect, once. */
  step(effect: Effect): void {
    if (!this.failures.has(effect)) return;
    const error = this.failures.get(effect);
    this.failures.delete(effect);
    throw error;
  }

  /** What is attached as the device. */
  byPath(path: string): (Attached & { readonly key: string }) | undefined {
    for (const [key, attached] of this.attached) if (attached.device.path === path) return { key, ...attached };
    return undefined;
  }

  /** Key of the file whose filesystem the mount shows. btrfs has device numbers of its own; only its source tells. */
  keyBehind(mount: MountEntry): string | undefined {
    for (const [key, { device }] of this.attached) {
      if (mount.device === device.device || (mount.fsType === 'btrfs' && mount.source === device.path)) return key;
    }
    return undefined;
  }

  isMounted(key: string): boolean {
    return this.mounts.some((mount) => mount.fsType !== 'devtmpfs' && this.keyBehind(mount) === key);
  }

  markUnclean(key: string): void {
    const file = this.files.get(key);
    if (file?.content.kind === 'filesystem' && this.isMounted(key) && !this.frozen.has(key)) file.clean = false;
  }

  /** The file behind a place that was listed; throws as the kernel's opening does when it is gone or covered. */
  behind({ id, mountPoint }: Pick<MountEntry, 'id' | 'mountPoint'>): string {
    const top = this.mounts.findLast((mount) => mount.mountPoint === mountPoint);
    const key = top === undefined ? undefined : this.keyBehind(top);
    if (top?.id === id && key !== undefined) return key;
    throw new BerthError('BUSY', `another filesystem is mounted over ${mountPoint}; try again`);
  }

  /** Puts a mount on top. */
  add(
    entry: Pick<MountEntry, 'device' | 'root' | 'mountPoint' | 'fsType' | 'source'>,
    options: readonly string[],
  ): void {
    const id = this.nextId++;
    const access = options.includes('ro') ? ['ro'] : ['rw'];
    this.mounts.push({ ...entry, id, parent: 1, options: access, tags: [], superOptions: access });
  }

  /** The file at a path, or behind a device. */
  async keyOfPath(file: string): Promise<string> {
    return this.byPath(file)?.key ?? (await this.files.keyOf(file));
  }
}
