/** The kernel as storage uses it. */
import { blockCgroups } from '../linux/blockcgroup.ts';
import type { BlockCgroups } from '../linux/blockcgroup.ts';
import { kernelFilesystems } from '../linux/filesystem.ts';
import type { Filesystems } from '../linux/filesystem.ts';
import { kernelGracePeriods } from '../linux/graceperiods.ts';
import type { GracePeriods } from '../linux/graceperiods.ts';
import { kernelLoopDevices } from '../linux/loop.ts';
import type { LoopDevices } from '../linux/loop.ts';
import { kernelMounts } from '../linux/mount.ts';
import type { Mounts } from '../linux/mount.ts';

export interface StorageKernel {
  readonly mounts: Mounts;
  readonly loops: LoopDevices;
  readonly filesystems: Filesystems;
  readonly cgroups: BlockCgroups;
  readonly gracePeriods: GracePeriods;
}

/** The one this process runs on. */
export function realKernel(): StorageKernel {
  return {
    mounts: kernelMounts(),
    loops: kernelLoopDevices(),
    filesystems: kernelFilesystems(),
    cgroups: blockCgroups(),
    gracePeriods: kernelGracePeriods(),
  };
}
