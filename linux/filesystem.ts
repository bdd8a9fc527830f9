/** Files and filesystems for volumes: allocate an image, format it, recognise what it holds, and measure a mounted one. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { BerthError } from '../kit/errors.ts';
import { check, libcAsync } from './libc.ts';
import { identifyBytes, identifyContent } from './superblock.ts';
import type { Content } from './superblock.ts';

export type FilesystemType = 'xfs' | 'ext4';

/** Bytes and inodes of a mounted filesystem. `available` is what an ordinary user can still take. */
export interface FilesystemUsage {
  readonly bytes: { readonly total: bigint; readonly used: bigint; readonly available: bigint };
  readonly inodes: { readonly total: bigint; readonly used: bigint; readonly available: bigint };
}

export interface Filesystems {
  /**
   * Makes a new file of exactly `bytes` bytes, all of them allocated, readable by root only, and durable. Throws EEXIST
   * when the name is taken, ENOSPC when the space is not there (a part of the file then remains).
   */
  allocate(file: string, bytes: bigint): Promise<void>;
  /** Writes a filesystem into a file whose content is empty (see `identify`), keeping its space, and makes it durable. */
  format(file: string, request: { readonly type: FilesystemType; readonly uuid: string }): Promise<void>;
  /** Reads what a file or block device begins with. */
  identify(file: string): Promise<Content>;
  /** Usage of the filesystem that holds `path`. Whether that is the wanted one is the caller's question (mountinfo). */
  usage(path: string): Promise<FilesystemUsage>;
}

const fallocate = libcAsync('int fallocate(int fd, int mode, int64_t offset, int64_t length)');

/** Where Debian, Alpine and Fedora keep them; nothing of the caller's environment reaches the programs. */
const toolEnvironment = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' };
/** mkfs of 100 GiB takes 50 ms; a disk that needs minutes is ill. */
const toolTimeout = 120_000;

/**
 * All sectors 4096 bytes: on a reflinking pool the loop device's sectors become that, and an XFS with 512 no longer
 * mounts. No discard: it would punch the allocated space out of the image. No lazy inode tables: a fresh image reads
 * as zeroes, so ext4 has nothing to write later.
 */
const makers: Readonly<Record<FilesystemType, (file: string, uuid: string) => readonly [string, ...string[]]>> = {
  xfs: (file, uuid) => ['mkfs.xfs', '-q', '-K', '-s', 'size=4096', '-m', `uuid=${uuid},reflink=1`, file],
  ext4: (file, uuid) => {
    const extended = 'nodiscard,assume_storage_prezeroed=1';
    return ['mkfs.ext4', '-q', '-F', '-m', '0', '-b', '4096', '-U', uuid, '-E', extended, file];
  },
};

async function runTool([program, ...args]: readonly [string, ...string[]]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = {
      env: toolEnvironment,
      timeout: toolTimeout,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 1024,
    } as const;
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) {
        resolve();
        return;
      }
      if (error.code === 'ENOENT') {
        const advice = `install the package that has it (xfsprogs, e2fsprogs)`;
        reject(new BerthError('FAILED_PRECONDITION', `${program} is not on this node; ${advice}`));
        return;
      }
      const said = `${stderr}${stdout}`.trim().split('\n').slice(-3).join(' / ').slice(0, 500);
      reject(new BerthError('IO_FAILED', `${program} failed: ${said === '' ? error.message : said}`, { cause: error }));
    });
  });
}

async function allocate(file: string, bytes: bigint): Promise<void> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const image = await open(file, flags, 0o600);
  try {
    const { result, errno } = await fallocate(image.fd, 0, 0, bytes);
    check(result, `fallocate of ${bytes} bytes for`, file, errno);
    await image.sync();
  } finally {
    await image.close();
  }
}

async function identify(file: string): Promise<Content> {
  const handle = await open(file, constants.O_RDONLY);
  try {
    const buffer = Buffer.alloc(identifyBytes);
    const { bytesRead } = await handle.read(buffer, 0, identifyBytes, 0);
    return identifyContent(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** The filesystems of this kernel and the mkfs programs of this machine. */
export function kernelFilesystems(): Filesystems {
  return {
    allocate,
    identify,
    async format(file, { type, uuid }) {
      const content = await identify(file);
      if (content.kind !== 'empty') {
        const found = content.kind === 'unknown' ? 'data' : content.type;
        throw new BerthError('FAILED_PRECONDITION', `${file} holds ${found} already; it is not formatted again`);
      }
      // The only programs the storage plugin runs: nobody offers mkfs as a library, and once per volume is rare.
      await runTool(makers[type](file, uuid));
      const handle = await open(file, constants.O_RDWR);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
    async usage(path) {
      const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path, { bigint: true });
      return {
        bytes: { total: blocks * bsize, used: (blocks - bfree) * bsize, available: bavail * bsize },
        inodes: { total: files, used: files - ffree, available: ffree },
      };
    },
  };
}
