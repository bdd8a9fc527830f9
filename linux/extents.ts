/** Where the bytes of a file lie on its filesystem's disk: FIEMAP. Equal places in two files are the same, shared bytes. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BerthError } from '../kit/errors.ts';
import { libcAsync, SystemCallError } from './libc.ts';

/** A run of a file's bytes; what lies between two is a hole. All figures in bytes. */
export interface FileExtent {
  /** Offset in the file. */
  readonly logical: bigint;
  /** Offset on the disk of the file's filesystem. */
  readonly physical: bigint;
  readonly length: bigint;
  /** Allocated and never written: reads as zeroes. */
  readonly unwritten: boolean;
}

const FS_IOC_FIEMAP = 0xc020660b;
const FIEMAP_FLAG_SYNC = 1;
const extentFlags = { last: 0x1, unwritten: 0x800 } as const;
/** The place is unknown, not yet chosen, or not of these bytes alone (encoded, inline, a tail): nothing can be said by it. */
const placeless = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400;
const headBytes = 32;
const extentBytes = 56;
/** Extents per call: 224 KiB. */
const batch = 4096;
/**
 * Whoever writes to a volume decides in how many pieces its image lies; each takes some 100 bytes of memory here. 250,000 are
 * what 1 GiB has at most.
 */
const mostExtents = 250_000;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');

interface Round {
  readonly extents: readonly FileExtent[];
  readonly last: boolean;
}

/** One answer of the kernel: struct fiemap and its extents. Throws when an extent has no place. */
export function parseFiemap(answer: Buffer): Round {
  const mapped = answer.readUInt32LE(20);
  const extents: FileExtent[] = [];
  let last = mapped === 0;
  for (let i = 0; i < mapped; i++) {
    const at = headBytes + i * extentBytes;
    const flags = answer.readUInt32LE(at + 40);
    if ((flags & placeless) !== 0) {
      throw new BerthError(
        'UNSUPPORTED',
        `the filesystem keeps bytes of the image in a way that has no place of its own (extent flags 0x${flags.toString(16)})`,
      );
    }
    extents.push({
      logical: answer.readBigUInt64LE(at),
      physical: answer.readBigUInt64LE(at + 8),
      length: answer.readBigUInt64LE(at + 16),
      unwritten: (flags & extentFlags.unwritten) !== 0,
    });
    last ||= (flags & extentFlags.last) !== 0;
  }
  return { extents, last };
}

/** See `Filesystems.extents`. */
export async function extentsOf(file: string): Promise<readonly FileExtent[]> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const found: FileExtent[] = [];
    for (let start = 0n; ;) {
      const answer = Buffer.alloc(headBytes + batch * extentBytes);
      answer.writeBigUInt64LE(start, 0);
      answer.writeBigUInt64LE(0xffff_ffff_ffff_ffffn - start, 8);
      answer.writeUInt32LE(FIEMAP_FLAG_SYNC, 16);
      answer.writeUInt32LE(batch, 24);
      const { result, errno } = await request(handle.fd, FS_IOC_FIEMAP, answer);
      if (result < 0) {
        const failure = new SystemCallError('FIEMAP', errno, file);
        if (!['EOPNOTSUPP', 'ENOTSUP', 'ENOTTY'].includes(failure.code)) throw failure;
        throw new BerthError('UNSUPPORTED', 'the filesystem does not tell where bytes lie', { cause: failure });
      }
      const { extents, last } = parseFiemap(answer);
      found.push(...extents);
      if (found.length > mostExtents) {
        throw new BerthError(
          'FAILED_PRECONDITION',
          `the image lies in more than ${mostExtents} pieces, too many to compare; its contents copied into a new volume lie in fewer`,
        );
      }
      const end = extents.at(-1);
      if (last || end === undefined) return found;
      start = end.logical + end.length;
    }
  } finally {
    await handle.close();
  }
}
