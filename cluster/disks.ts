/** Disks of a node: sparse files in its root folder with a filesystem each, mounted by loop devices. What fills one fills nothing else. */
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runChecked } from './command.ts';

/** A filesystem of its own that every node has at `target`. It survives the node's power cycles and ends with the cluster. */
export interface NodeDisk {
  readonly target: string;
  /** Taken from this machine only as it is written to. xfs needs 300 MiB. */
  readonly bytes: number;
  readonly filesystem: 'xfs' | 'ext4' | 'btrfs';
}

/** The disk's file as the node sees it. */
function diskFile({ target }: NodeDisk): string {
  return `/disks/${target.replaceAll('/', '-').slice(1)}.img`;
}

/** Makes the files of a new node and their filesystems. */
export async function makeDisks(root: string, disks: readonly NodeDisk[]): Promise<void> {
  for (const disk of disks) {
    const file = join(root, diskFile(disk));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '');
    await truncate(file, disk.bytes);
    await runChecked(`mkfs.${disk.filesystem}`, ['-q', file]);
  }
}

/** How `nodesetup.sh` is told of a disk. */
export function diskEntry(disk: NodeDisk): string {
  return `${diskFile(disk)}:${disk.target}:disk`;
}
