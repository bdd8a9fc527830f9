/** Errors a mounted filesystem has counted by itself. XFS counts none: after a serious one it shuts down instead. */
import { readFile, readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf } from '../kit/errors.ts';

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // A filesystem that is not mounted, and a kernel that has no such file, count nothing.
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** `errors_count` since the last check of the filesystem; it is in its superblock and outlives a reboot. */
async function ext4Errors(device: string, sys: string): Promise<bigint> {
  const text = (await textOf(join(sys, 'fs/ext4', device, 'errors_count'))).trim();
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

/** The sum over the filesystem's devices of errors in reading, writing, flushing and in what was read (since Linux 5.14). */
async function btrfsErrors(device: string, sys: string): Promise<bigint> {
  const all = join(sys, 'fs/btrfs');
  for (const filesystem of await readdir(all).catch((): string[] => [])) {
    const devices = await readdir(join(all, filesystem, 'devices')).catch((): string[] => []);
    if (!devices.includes(device)) continue;
    let sum = 0n;
    for (const id of await readdir(join(all, filesystem, 'devinfo')).catch((): string[] => [])) {
      const text = await textOf(join(all, filesystem, 'devinfo', id, 'error_stats'));
      for (const [, count = '0'] of text.matchAll(/^\w+_errs (\d{1,19})$/gm)) sum += BigInt(count);
    }
    return sum;
  }
  return 0n;
}

/** The errors of the filesystem of that type on a device, by its name in /sys/block (`loop3`). `sys` is for tests. */
export async function countedErrors(type: string, device: string, sys = '/sys'): Promise<bigint> {
  if (type === 'ext4') return await ext4Errors(device, sys);
  return type === 'btrfs' ? await btrfsErrors(device, sys) : 0n;
}

/** The name in /sys/block of the device a mount's filesystem lies on, or undefined when it is none of this machine's. */
export async function deviceNameOf(
  { fsType, device, source }: { readonly fsType: string; readonly device: string; readonly source: string },
  sys = '/sys',
): Promise<string | undefined> {
  // btrfs has device numbers of its own, which lead nowhere.
  const path = fsType === 'btrfs' ? source : join(sys, 'dev/block', device);
  return await realpath(path).then(basename, () => undefined);
}
