/** A small filesystem of its own for storage tests: filling it harms nobody. */
import { mkdir, open, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../kit/errors.ts';
import { kernelFilesystems } from '../../linux/filesystem.ts';
import type { FilesystemType } from '../../linux/filesystem.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeSharedFolder } from './sharedfolder.ts';

export interface ScratchPool {
  /** Where the filesystem is mounted. */
  readonly path: string;
  /** Unmounts everything below, detaches what is left of the images in `folders`, removes all. */
  close(): Promise<void>;
}

/** A filesystem of `bytes` bytes in a sparse file. */
export async function makeScratchPool(type: FilesystemType, bytes: number): Promise<ScratchPool> {
  const [mounts, loops, filesystems] = [kernelMounts(), kernelLoopDevices(), kernelFilesystems()];
  // Below a shared mount, so that an unmount reaches the copies in namespaces made meanwhile (`ip netns exec` makes one).
  const folder = await makeSharedFolder();
  const [file, path] = [join(folder.path, 'scratch.img'), join(folder.path, 'pool')];
  const handle = await open(file, 'wx', 0o600);
  await handle.truncate(bytes);
  await handle.close();
  await filesystems.format(file, { type, uuid: crypto.randomUUID() });
  const device = await loops.attach(file, { readonly: false });
  await mkdir(path);
  // So often btrfs looks for room that has become empty; the 30 seconds of the default are long for a test.
  const options = type === 'btrfs' ? ['commit=1'] : [];
  await mounts.mount({ source: device.path, target: path, fsType: type, options });
  return {
    path,
    close: async () => {
      const below = (await mounts.list()).filter((mount) => mount.mountPoint.startsWith(path));
      for (const { mountPoint } of below.reverse()) await mounts.unmount(mountPoint);
      // A private namespace made meanwhile has a copy of its own; the kernel then lets the device go with the namespace.
      await loops.detach(file).catch((error: unknown) => {
        if (!(error instanceof BerthError) || error.code !== 'BUSY') throw error;
      });
      await rmdir(path);
      await rm(file);
      await folder.close();
    },
  };
}
