/** Makes filesystems in image files, so that the file keeps its space and its sectors have 4096 bytes. */
import { BerthError } from '../kit/errors.ts';
import { runTool } from './tool.ts';

/** The filesystems Berth makes, mounts, checks and grows. */
export type FilesystemType = 'xfs' | 'ext4' | 'btrfs';

/**
 * All sectors 4096 bytes: on a reflinking pool the loop device's sectors become that, and an XFS with 512 no longer
 * mounts. No discard: it would punch the allocated space out of the image. No lazy inode tables: a fresh image reads
 * as zeroes, so ext4 has nothing to write later. One copy of btrfs' metadata: both would lie on one disk. Forced: the caller has
 * looked that the file is empty, and looking again for what others call a filesystem is a third of mkfs.xfs' time.
 */
const makers: Readonly<Record<FilesystemType, (file: string, uuid: string) => readonly [string, ...string[]]>> = {
  xfs: (file, uuid) => ['mkfs.xfs', '-q', '-f', '-K', '-s', 'size=4096', '-m', `uuid=${uuid},reflink=1`, file],
  ext4: (file, uuid) => {
    const extended = 'nodiscard,assume_storage_prezeroed=1';
    return ['mkfs.ext4', '-q', '-F', '-m', '0', '-b', '4096', '-U', uuid, '-E', extended, file];
  },
  btrfs: (file, uuid) => [
    'mkfs.btrfs',
    '-q',
    '-f',
    '-K',
    '-s',
    '4096',
    '-m',
    'single',
    '-d',
    'single',
    '-U',
    uuid,
    file,
  ],
};

/** Writes a filesystem into an empty file; the caller makes it durable. */
export async function makeFilesystem(file: string, type: FilesystemType, uuid: string): Promise<void> {
  // The only programs the storage plugin runs: nobody offers mkfs as a library, and once per volume is rare.
  const command = makers[type](file, uuid);
  const { exitCode, said } = await runTool(command);
  if (exitCode !== 0) throw new BerthError('IO_FAILED', `${command[0]} failed with ${exitCode}: ${said}`);
}
