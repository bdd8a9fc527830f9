/**
 * A kernel for storage that keeps state in memory: loop devices, the mount table, and which file holds which filesystem.
 * Files and folders are real ones, so it needs no root. `storagecontract.ts` holds it to what the real one does.
 */
import { blockCgroups } from '../blockcgroup.ts';
import type { BlockCgroups } from '../blockcgroup.ts';
import type { Filesystems } from '../filesystem.ts';
import { SystemCallError } from '../libc.ts';
import type { GracePeriods } from '../graceperiods.ts';
import type { LoopDevices } from '../loop.ts';
import type { Mounts } from '../mount.ts';
import type { Content } from '../superblock.ts';
import { fakeLoopDevices, fakeMounts } from './storagedevices.ts';
import { FakeFiles } from './storagefiles.ts';
import { fakeFilesystems } from './storagefilesystems.ts';
import type { FakeStorageOptions } from './storagefilesystems.ts';
import { FakeTables } from './storagetables.ts';
import type { Effect } from './storagetables.ts';

const ENOENT = 2;

class FakeGracePeriods implements GracePeriods {
  hurried = false;
  readonly said: ('hurry' | 'relax')[] = [];

  areLong(): boolean {
    return !this.hurried;
  }

  hurry(): void {
    this.hurried = true;
    this.said.push('hurry');
  }

  relax(): void {
    this.hurried = false;
    this.said.push('relax');
  }
}

export class FakeStorageKernel {
  readonly totalBytes: bigint;
  readonly loops: LoopDevices;
  readonly mounts: Mounts;
  readonly filesystems: Filesystems;
  /** Mount points somebody has a file open below. */
  readonly busy: Set<string>;
  /** None; a test that wants limits brings some (`FakeCgroups`). */
  cgroups: BlockCgroups = blockCgroups('/nowhere');
  /** What an administrator says of them, and what was done to them, in order. */
  readonly gracePeriods = new FakeGracePeriods();
  readonly #files: FakeFiles;
  readonly #tables: FakeTables;

  constructor(totalBytes: bigint, options: FakeStorageOptions = {}) {
    this.totalBytes = totalBytes;
    this.#files = new FakeFiles(totalBytes);
    this.#tables = new FakeTables(this.#files);
    this.busy = this.#tables.busy;
    this.loops = fakeLoopDevices(this.#tables);
    this.mounts = fakeMounts(this.#tables);
    this.filesystems = fakeFilesystems(this.#tables, options);
  }

  /** Makes the next effect of this kind fail. */
  failNext(effect: Effect, error: unknown): void {
    this.#tables.failures.set(effect, error);
  }

  /** What a reboot does: no mounts, no loop devices, nothing frozen; files stay, what was mounted is not clean. */
  reboot(): void {
    this.#tables.reboot();
  }

  /** Remembers this instant; the function brings it back, files with all names they had then. */
  save(): () => void {
    const [restoreTables, restoreFiles] = [this.#tables.save(), this.#files.save()];
    return () => {
      restoreTables();
      restoreFiles();
    };
  }

  /** Attached device paths and mount points, for assertions on state. */
  dump(): { readonly loops: readonly string[]; readonly mounts: readonly string[] } {
    const { attached, mounts } = this.#tables;
    return {
      loops: [...attached.values()].map(({ device }) => device.path).sort(),
      mounts: mounts
        .slice(1)
        .map((mount) => `${mount.mountPoint}${mount.options.includes('ro') ? ' ro' : ''}`)
        .sort(),
    };
  }

  /** Device paths of the filesystems whose writers are stopped. */
  frozen(): readonly string[] {
    const { attached, frozen } = this.#tables;
    return [...frozen].flatMap((key) => attached.get(key)?.device.path ?? []).sort();
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
}
