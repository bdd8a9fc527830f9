/** Copies of image files: by sharing the bytes where the filesystem can (reflink), else byte by byte without the holes. */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { inheritNoCow } from './fileattributes.ts';
import { settle } from './imagefile.ts';
import { libc, libcAsync, SystemCallError } from './libc.ts';

const FICLONE = 0x40049409;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const POSIX_FADV_RANDOM = 1;
const chunkBytes = 1 << 22;

const request = libcAsync('int ioctl(int fd, unsigned long request, long argument)');
const advise = libc('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)');
const seek = libcAsync('int64_t lseek(int fd, int64_t offset, int whence)');

/** What FICLONE says where files cannot share bytes: a filesystem without reflinks, or two different ones. */
const cannotShare: readonly string[] = ['EOPNOTSUPP', 'ENOTSUP', 'ENOTTY', 'EXDEV', 'EINVAL'];

/** Opens the source and a new target; when the work fails the target is removed again. */
async function intoNewFile(
  source: string,
  target: string,
  work: (from: FileHandle, to: FileHandle) => Promise<void>,
): Promise<void> {
  const from = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const to = await open(target, flags, 0o600);
    try {
      await work(from, to);
      await to.sync();
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** Makes `to` share the bytes of `from`. Throws UNSUPPORTED where the filesystem cannot. */
export async function shareBytes(from: FileHandle, to: FileHandle, what: string): Promise<void> {
  const { result, errno } = await request(to.fd, FICLONE, from.fd);
  if (result >= 0) return;
  const failure = new SystemCallError('FICLONE', errno, what);
  if (!cannotShare.includes(failure.code)) throw failure;
  throw new BerthError('UNSUPPORTED', `files of this filesystem cannot share their bytes (${failure.code})`, {
    cause: failure,
  });
}

/** See `Filesystems.clone`. */
export async function clone(source: string, target: string): Promise<void> {
  await intoNewFile(source, target, async (from, to) => {
    await inheritNoCow(from, to);
    await shareBytes(from, to, target);
  });
}

/** Where the next data, or the next hole, from `offset` on begins; undefined when there is none. */
async function find(file: FileHandle, offset: bigint, whence: number): Promise<bigint | undefined> {
  const { result, errno } = await seek(file.fd, offset, whence);
  if (result >= 0) return BigInt(result);
  const failure = new SystemCallError('lseek', errno, 'an image');
  if (failure.code === 'ENXIO') return undefined;
  throw failure;
}

/** See `Filesystems.copy`. */
export async function copy(source: string, target: string): Promise<void> {
  await intoNewFile(source, target, async (from, to) => {
    const { size } = await from.stat({ bigint: true });
    await to.truncate(Number(size));
    // No reading ahead: space that was never written counts as data as soon as its pages are in the cache.
    advise(from.fd, 0, 0, POSIX_FADV_RANDOM);
    const buffer = Buffer.allocUnsafe(chunkBytes);
    let data = await find(from, 0n, SEEK_DATA);
    while (data !== undefined && data < size) {
      const hole = (await find(from, data, SEEK_HOLE)) ?? size;
      await copyRange(from, to, buffer, { begin: data, end: hole });
      data = await find(from, hole, SEEK_DATA);
    }
    await settle(to.fd);
  });
}

async function copyRange(
  from: FileHandle,
  to: FileHandle,
  buffer: Buffer,
  { begin, end }: { readonly begin: bigint; readonly end: bigint },
): Promise<void> {
  // Read and written on worker threads; copy_file_range would be quicker by little where no bytes can be shared.
  for (let offset = Number(begin); offset < Number(end);) {
    const length = Math.min(buffer.length, Number(end) - offset);
    const { bytesRead } = await from.read(buffer, 0, length, offset);
    // Somebody has cut the file meanwhile: what was there is not there any more.
    if (bytesRead === 0) throw new BerthError('IO_FAILED', 'the image became shorter while it was copied');
    for (let written = 0; written < bytesRead;) {
      written += (await to.write(buffer, written, bytesRead - written, offset + written)).bytesWritten;
    }
    offset += bytesRead;
  }
}

/**
 * Whether files in the folder can share bytes: tried with two files without a name, of which nothing remains. They are empty, for
 * a full disk has to answer too. Undefined: it could not be tried.
 */
export async function canShareBytes(folder: string): Promise<boolean | undefined> {
  // linux/fcntl.h; it contains O_DIRECTORY. Not in Node's constants.
  const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
  const opened: FileHandle[] = [];
  try {
    for (let i = 0; i < 2; i++) opened.push(await open(folder, O_TMPFILE | constants.O_RDWR, 0o600));
    const [from, to] = opened;
    if (from === undefined || to === undefined) return false;
    await shareBytes(from, to, folder);
    return true;
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EROFS'].includes(errnoOf(error) ?? '')) return undefined;
    // EISDIR, EOPNOTSUPP: no files without a name. No filesystem with reflinks is like that.
    const cannot = error instanceof BerthError ? error.code === 'UNSUPPORTED' : isWithoutTmpfile(error);
    if (cannot) return false;
    throw error;
  } finally {
    for (const handle of opened) await handle.close();
  }
}

function isWithoutTmpfile(error: unknown): boolean {
  return ['EISDIR', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL'].includes(errnoOf(error) ?? '');
}
