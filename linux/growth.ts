/** Grows filesystems to the size of their device: mounted ones by ioctl, an ext4 also unmounted by its own programs. */
import type { FileHandle } from 'node:fs/promises';
import { BerthError } from '../kit/errors.ts';
import { deviceBytes, isHeld } from './blockdevice.ts';
import { checkExt4 } from './fsck.ts';
import { libcAsync, SystemCallError } from './libc.ts';
import { withMountedFolder } from './mountedfolder.ts';
import type { MountPlace } from './mountedfolder.ts';
import { filesystemStateOf } from './superblockfile.ts';
import { runTool } from './tool.ts';

const XFS_IOC_FSGEOMETRY_V1 = 0x80705864;
const XFS_IOC_FSGROWFSDATA = 0x4010586e;
const EXT4_IOC_RESIZE_FS = 0x40086610;
const BTRFS_IOC_RESIZE = 0x50009403;
/** struct xfs_fsop_geom_v1. */
const geometry = { size: 112, blockSize: 0, imaxPercent: 28, dataBlocks: 32 } as const;
/** The kernel adds no allocation group of fewer blocks. */
const leastGroupBlocks = 64n;
/** Berth makes all with blocks of that size. */
const ext4Block = 4096n;
const btrfsSector = 4096n;
const resizeTimeout = 15 * 60_000;

const request = libcAsync('int ioctl(int fd, unsigned long request, void *argument)');

async function demand(file: FileHandle, code: number, argument: Buffer, name: string, subject: string): Promise<void> {
  const { result, errno } = await request(file.fd, code, argument);
  if (result < 0) throw new SystemCallError(name, errno, subject);
}

/** An ext4 that ends with a group gets no further one that would be smaller than its own bookkeeping. */
const ext4Group = { blocks: 32768n, least: 2048n } as const;

/** The bytes an ext4 can have on a device of `available` bytes; undefined when it has them already. */
export function ext4Growth(present: bigint, available: bigint): bigint | undefined {
  const blocks = available / ext4Block;
  const more = blocks - present / ext4Block;
  const atEnd = (present / ext4Block) % ext4Group.blocks === 0n;
  return more <= 0n || (atEnd && more < ext4Group.least) ? undefined : blocks * ext4Block;
}

async function growXfs(folder: FileHandle, bytes: bigint, subject: string): Promise<void> {
  const now = Buffer.alloc(geometry.size);
  await demand(folder, XFS_IOC_FSGEOMETRY_V1, now, 'XFS_IOC_FSGEOMETRY', subject);
  const blocks = bytes / BigInt(now.readUInt32LE(geometry.blockSize));
  if (blocks < now.readBigUInt64LE(geometry.dataBlocks) + leastGroupBlocks) return;
  const wanted = Buffer.alloc(16);
  wanted.writeBigUInt64LE(blocks, 0);
  wanted.writeUInt32LE(now.readUInt32LE(geometry.imaxPercent), 8);
  await demand(folder, XFS_IOC_FSGROWFSDATA, wanted, 'XFS_IOC_FSGROWFSDATA', subject);
}

async function growExt4(folder: FileHandle, bytes: bigint, device: string): Promise<void> {
  // ext4 keeps its superblock in the device's cache: what is read there is what is mounted.
  const now = await filesystemStateOf(device);
  const size = ext4Growth(now?.bytes ?? 0n, bytes);
  if (size === undefined) return;
  const wanted = Buffer.alloc(8);
  wanted.writeBigUInt64LE(size / ext4Block, 0);
  try {
    await demand(folder, EXT4_IOC_RESIZE_FS, wanted, 'EXT4_IOC_RESIZE_FS', device);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== 'EPERM') throw error;
    throw new BerthError(
      'FAILED_PRECONDITION',
      'the kernel lets an ext4 grow while it is mounted only with CAP_SYS_RESOURCE, which the agent does not have; it grows when it is staged next: end the pods that use it',
      { cause: error },
    );
  }
}

async function growBtrfs(folder: FileHandle, bytes: bigint, subject: string): Promise<void> {
  // Not asked when there is nothing to do: the kernel writes a line into its log each time.
  const now = await filesystemStateOf(subject);
  if (now !== undefined && now.bytes >= bytes - (bytes % btrfsSector)) return;
  // struct btrfs_ioctl_vol_args: a number and a text; a filesystem in one image has the one device 1.
  const wanted = Buffer.alloc(4096);
  wanted.write('1:max', 8, 'latin1');
  const { result, errno } = await request(folder.fd, BTRFS_IOC_RESIZE, wanted);
  if (result < 0) throw new SystemCallError('BTRFS_IOC_RESIZE', errno, subject);
  if (result > 0) throw new BerthError('BUSY', 'btrfs is balancing or resizing already; try again');
}

/** See `Filesystems.growMounted`. */
export async function growMounted(mount: MountPlace & { readonly fsType: string }, device: string): Promise<void> {
  const bytes = await deviceBytes(device);
  await withMountedFolder(mount, async (folder) => {
    if (mount.fsType === 'xfs') await growXfs(folder, bytes, device);
    else if (mount.fsType === 'ext4') await growExt4(folder, bytes, device);
    else if (mount.fsType === 'btrfs') await growBtrfs(folder, bytes, device);
    else throw new BerthError('UNSUPPORTED', `a mounted ${mount.fsType} cannot grow`);
  });
}

/** See `Filesystems.growUnmounted`. */
export async function growUnmounted(device: string): Promise<void> {
  const state = await filesystemStateOf(device);
  if (state?.type !== 'ext4' || ext4Growth(state.bytes, await deviceBytes(device)) === undefined) return;
  // Mounted somewhere, be it in another mount namespace: it is the kernel's.
  if (await isHeld(device)) return;
  // resize2fs refuses a filesystem that was not checked entirely since it was last mounted.
  await checkExt4(device, { whole: true });
  const { exitCode, said } = await runTool(['resize2fs', device], { timeoutMs: resizeTimeout });
  if (exitCode !== 0) throw new BerthError('IO_FAILED', `resize2fs failed with ${exitCode}: ${said}`);
}
