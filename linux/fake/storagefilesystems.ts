/** Image files and their filesystems as the fake storage kernel makes, copies, grows and freezes them. */
import { stat } from 'node:fs/promises';
import { BerthError } from '../../kit/errors.ts';
import type { Filesystems } from '../filesystem.ts';
import { SystemCallError } from '../libc.ts';
import { coveringMount } from '../mountinfo.ts';
import type { FakeTables } from './storagetables.ts';

const ENOENT = 2;

export interface FakeStorageOptions {
  /** The pool's filesystem: `xfs` (the default) and `btrfs` share bytes, `ext4` does not. */
  readonly pool?: 'xfs' | 'btrfs' | 'ext4';
  /** What CAP_SYS_RESOURCE permits; default true. */
  readonly ext4GrowsMounted?: boolean;
}

/** Filesystems of the tables' files and mounts. */
export function fakeFilesystems(tables: FakeTables, options: FakeStorageOptions): Filesystems {
  const { files } = tables;
  const growFilesystem = (key: string): void => {
    const [file, attached] = [files.get(key), tables.attached.get(key)];
    if (file !== undefined && attached !== undefined) file.filesystemBytes = attached.bytes;
  };

  const made: Filesystems = {
    abilitiesOf: async (folder) => {
      await stat(folder);
      const type = options.pool ?? 'xfs';
      return { type, reflink: type !== 'ext4' };
    },
    overwriteInPlace: async (folder) => {
      await stat(folder);
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    allocate: async (path, bytes, { sparse = false } = {}) => {
      tables.step('allocate');
      files.extend(files.make(path), path, bytes, sparse);
    },
    settle: async (path) => {
      await stat(path);
    },
    extend: async (path, bytes, { sparse = false } = {}) => {
      tables.step('extend');
      const file = files.get(await files.keyOf(path));
      if (file === undefined) throw new SystemCallError('open', ENOENT, path);
      files.extend(file, path, bytes, sparse);
    },
    clone: async (source, target) => {
      tables.step('clone');
      const key = await files.keyOf(source);
      if (options.pool === 'ext4') throw new BerthError('UNSUPPORTED', 'files here cannot share their bytes');
      const made = files.duplicate(source, target, true);
      if (tables.isMounted(key) && !tables.frozen.has(key)) made.clean = false;
    },
    copy: async (source, target) => {
      tables.step('copy');
      const key = await files.keyOf(source);
      const made = files.duplicate(source, target, false);
      if (tables.isMounted(key) && !tables.frozen.has(key)) made.clean = false;
    },
    extents: async (path) => files.get(await files.keyOf(path))?.extents ?? [],
    format: async (path, { type, uuid }) => {
      tables.step('format');
      const file = files.get(await files.keyOf(path));
      if (file?.content.kind !== 'empty')
        throw new BerthError('FAILED_PRECONDITION', `${path} holds something already`);
      file.content = { kind: 'filesystem', type, uuid };
      file.filesystemBytes = (await stat(path, { bigint: true })).size;
    },
    identify: async (path) => {
      tables.step('identify');
      return files.get(await tables.keyOfPath(path))?.content ?? { kind: 'unknown' };
    },
    examine: async (path) => ({ content: await made.identify(path), state: await made.stateOf(path) }),
    stateOf: async (path) => {
      const file = files.get(await tables.keyOfPath(path));
      const type = file?.content.kind === 'filesystem' ? file.content.type : undefined;
      if (file === undefined || (type !== 'xfs' && type !== 'ext4' && type !== 'btrfs')) return undefined;
      return { type, bytes: file.filesystemBytes, clean: type !== 'ext4' || file.clean, faulty: false };
    },
    check: async (device) => {
      tables.step('check');
      const file = files.get(await tables.keyOfPath(device));
      if (file !== undefined) file.clean = true;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    growMounted: async (mount) => {
      tables.step('growMounted');
      const key = tables.behind(mount);
      const behind = (files.get(key)?.filesystemBytes ?? 0n) < (tables.attached.get(key)?.bytes ?? 0n);
      if (behind && mount.fsType === 'ext4' && options.ext4GrowsMounted === false) {
        throw new BerthError('FAILED_PRECONDITION', 'the kernel lets an ext4 grow only with CAP_SYS_RESOURCE');
      }
      growFilesystem(key);
    },
    growUnmounted: async (device) => {
      tables.step('growUnmounted');
      const key = await tables.keyOfPath(device);
      const content = files.get(key)?.content;
      if (content?.kind === 'filesystem' && content.type === 'ext4') growFilesystem(key);
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    freeze: async (mount) => {
      tables.step('freeze');
      const key = tables.behind(mount);
      if (tables.frozen.has(key)) return false;
      tables.frozen.add(key);
      return true;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    thaw: async (mount) => {
      tables.step('thaw');
      return tables.frozen.delete(tables.behind(mount));
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    writeBack: async (device) => {
      tables.step('writeBack');
      if (tables.byPath(device) === undefined) throw new SystemCallError('open', ENOENT, device);
    },
    usage: async (path) => {
      await stat(path);
      const size = tables.memory.get(coveringMount(tables.mounts, path)?.device ?? '');
      if (size !== undefined) {
        const files = { total: size / 16384n, used: 1n, available: size / 16384n - 1n };
        return { bytes: { total: size, used: 0n, available: size }, inodes: files };
      }
      const free = files.freeBytes();
      const bytes = { total: files.totalBytes, used: files.totalBytes - free, available: free };
      return { bytes, inodes: { total: 1000n, used: 10n, available: 990n } };
    },
  };
  return made;
}
