/** Loop devices and mounts of the fake storage kernel. */
import { stat } from 'node:fs/promises';
import { BerthError } from '../../kit/errors.ts';
import { SystemCallError } from '../libc.ts';
import type { LoopDevices } from '../loop.ts';
import type { Mounts } from '../mount.ts';
import type { FakeTables } from './storagetables.ts';

const [ENOENT, EBUSY, EINVAL] = [2, 16, 22];

/** The bytes of `size=` among a tmpfs' options. */
function sizeOption(options: readonly string[]): bigint | undefined {
  const [, bytes] = /(?:^|,)size=(\d+)(?:,|$)/.exec(options.join(',')) ?? [];
  return bytes === undefined ? undefined : BigInt(bytes);
}

/** Loop devices of the tables. */
export function fakeLoopDevices(tables: FakeTables): LoopDevices {
  const { files } = tables;
  return {
    find: async (file) => tables.attached.get(await files.keyOf(file))?.device,
    attach: async (file, { readonly, discard = false }) => {
      tables.step('attach');
      const key = await files.keyOf(file);
      const bytes = (await stat(file, { bigint: true })).size;
      // From here on without waiting: two that attach at once get two numbers.
      const present = tables.attached.get(key);
      if (present !== undefined && present.device.readonly !== readonly)
        throw new BerthError('FAILED_PRECONDITION', `${file} is attached already`);
      if (present !== undefined) {
        present.discard = discard;
        present.bytes = bytes;
        return present.device;
      }
      const taken = new Set([...tables.attached.values()].map(({ device }) => device.number));
      let number = 0;
      while (taken.has(number)) number++;
      // Room for partitions (max_part), as some kernels have it: then the minor number is not the device's.
      const id = `7:${number * 8}`;
      const device = { number, path: `/dev/loop${number}`, device: id, directIo: true, readonly };
      tables.attached.set(key, { device, bytes, discard });
      return device;
    },
    grow: async (file) => {
      tables.step('growDevice');
      const attached = tables.attached.get(await files.keyOf(file));
      if (attached !== undefined) attached.bytes = (await stat(file, { bigint: true })).size;
    },
    detach: async (file) => {
      tables.step('detach');
      const key = await files.keyOf(file);
      const attached = tables.attached.get(key);
      if (attached === undefined) return;
      const { number, path } = attached.device;
      const used = tables.isMounted(key) || tables.mounts.some(({ root }) => root === `/loop${number}`);
      if (used) throw new BerthError('BUSY', `${path} is still used`);
      tables.attached.delete(key);
    },
  };
}

async function mountMemory(
  tables: FakeTables,
  source: string,
  target: string,
  options: readonly string[],
): Promise<void> {
  if (!(await stat(target)).isDirectory()) throw new SystemCallError('mount', EINVAL, target);
  const size = sizeOption(options);
  if (size === undefined) throw new SystemCallError('mount', EINVAL, options.join(','));
  const device = `0:${tables.nextId}`;
  tables.memory.set(device, size);
  tables.add({ device, root: '/', mountPoint: target, fsType: 'tmpfs', source }, options);
}

/** Mounts of the tables. */
export function fakeMounts(tables: FakeTables): Mounts {
  const { files } = tables;
  return {
    list: () => Promise.resolve([...tables.mounts]),
    listNow: () => Promise.resolve([...tables.mounts]),
    mount: async ({ source, target, fsType, options }) => {
      tables.step('mount');
      if (fsType === 'tmpfs') {
        await mountMemory(tables, source, target, options);
        return;
      }
      const found = tables.byPath(source);
      if (found === undefined) throw new SystemCallError('mount', ENOENT, source);
      if (!(await stat(target)).isDirectory()) throw new SystemCallError('mount', EINVAL, target);
      const content = files.get(found.key)?.content;
      if (content?.kind !== 'filesystem' || content.type !== fsType)
        throw new SystemCallError('mount', EINVAL, `${fsType} on ${source}`);
      const { device, number } = found.device;
      const shown = fsType === 'btrfs' ? `0:${200 + number}` : device;
      tables.add({ device: shown, root: '/', mountPoint: target, fsType, source }, options);
    },
    remount: ({ target, options }) => {
      const mount = tables.mounts.findLast(({ mountPoint }) => mountPoint === target);
      const size = sizeOption(options);
      if (mount === undefined || size === undefined || !tables.memory.has(mount.device))
        return Promise.reject(new SystemCallError('remount', EINVAL, target));
      tables.memory.set(mount.device, size);
      return Promise.resolve();
    },
    bind: async ({ source, target, readonly, options: words = [] }) => {
      tables.step('bind');
      await stat(target);
      const options = readonly ? ['ro'] : words;
      if (tables.byPath(source) !== undefined) {
        tables.add({ device: '0:6', root: source.slice(4), mountPoint: target, fsType: 'devtmpfs', source }, options);
        return;
      }
      const below = tables.mounts.findLast((mount) => mount.mountPoint === source);
      if (below === undefined) throw new SystemCallError('open_tree', EINVAL, source);
      tables.add({ ...below, mountPoint: target }, options);
    },
    unmount: async (target) => {
      tables.step('unmount');
      await stat(target);
      const index = tables.mounts.findLastIndex((mount) => mount.mountPoint === target);
      if (index < 0) throw new SystemCallError('umount', EINVAL, target);
      if (tables.busy.has(target)) throw new SystemCallError('umount', EBUSY, target);
      const [gone] = tables.mounts.splice(index, 1);
      const key = gone === undefined ? undefined : tables.keyBehind(gone);
      const file = key === undefined ? undefined : files.get(key);
      if (file !== undefined && key !== undefined && !tables.isMounted(key)) file.clean = true;
    },
  };
}
