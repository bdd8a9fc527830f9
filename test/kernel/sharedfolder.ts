/** A folder that is a shared mount, as the kubelet's is on a node: what is mounted below it reaches the pods. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelMounts } from '../../linux/mount.ts';

export interface SharedFolder {
  readonly path: string;
  /** Unmounts everything below and the folder itself, which must be empty, and removes it. */
  close(): Promise<void>;
}

export async function makeSharedFolder(): Promise<SharedFolder> {
  const mounts = kernelMounts();
  const path = await mkdtemp(join(tmpdir(), 'berth-shared-'));
  execFileSync('mount', ['--bind', path, path]);
  execFileSync('mount', ['--make-private', path]);
  execFileSync('mount', ['--make-shared', path]);
  return {
    path,
    close: async () => {
      const mine = (await mounts.list()).filter(
        ({ mountPoint }) => mountPoint === path || mountPoint.startsWith(`${path}/`),
      );
      for (const { mountPoint } of mine.reverse()) await mounts.unmount(mountPoint);
      await rmdir(path);
    },
  };
}
