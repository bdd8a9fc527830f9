/** Mounts a volume's filesystem: only the one that was made for it, checked where that is due, and as large as its device. */
import { BerthError } from '../../kit/errors.ts';
import type { Filesystems } from '../../linux/filesystem.ts';
import { SystemCallError } from '../../linux/libc.ts';
import type { LoopDevice } from '../../linux/loop.ts';
import type { Mounts } from '../../linux/mount.ts';
import type { Content } from '../../linux/superblock.ts';
import { formatBytes, MiB } from '../quantity.ts';
import type { VolumeRecord } from '../volume.ts';

type Found = Awaited<ReturnType<Filesystems['examine']>>;

export interface Mounting {
  /** What the volume's image holds. */
  readonly found: Found;
  readonly device: LoopDevice;
  readonly folder: string;
  readonly flags: readonly string[];
}

export interface MountingParts {
  readonly filesystems: Filesystems;
  readonly mounts: Mounts;
  /** The folder of the images. */
  readonly images: string;
}

/** Less than what is kept free of any pool: then others have taken it, or thin volumes. */
const leastRoom = 16n * MiB;

/** A check writes, and where a thin image gets no more space it fails as if there were damage. */
async function check(device: string, { filesystems, images }: Omit<MountingParts, 'mounts'>): Promise<void> {
  try {
    await filesystems.check(device);
  } catch (error) {
    const { available } = (await filesystems.usage(images)).bytes;
    if (available >= leastRoom) throw error;
    const sentence = `the pool is full (${formatBytes(available)} left), so the filesystem could not be checked before it is mounted; delete volumes or enlarge the pool`;
    throw new BerthError('RESOURCE_EXHAUSTED', sentence, { cause: error });
  }
}

/** Never mounts what Berth has not made: a foreign superblock is an attack on the kernel, a wrong one is a mix-up. */
function assertOwn({ id, use }: VolumeRecord, content: Content): void {
  if (use.kind !== 'filesystem') return;
  const { type, uuid } = use;
  if (content.kind === 'filesystem' && content.type === type && content.uuid === uuid) return;
  const found = content.kind === 'filesystem' ? `${content.type} ${content.uuid}` : content.kind;
  throw new BerthError(
    'FAILED_PRECONDITION',
    `volume ${id} should hold ${type} ${uuid} but holds: ${found}; it is neither mounted nor formatted`,
  );
}

/** Mounts the filesystem at the folder. What it mounted stays when it throws after that. */
export async function mountFilesystem(
  volume: VolumeRecord,
  { found, device, folder, flags }: Mounting,
  { filesystems, mounts, images }: MountingParts,
): Promise<void> {
  if (volume.use.kind !== 'filesystem') return;
  const { type } = volume.use;
  const { content, state } = found;
  assertOwn(volume, content);
  if (state?.clean !== true) await check(device.path, { filesystems, images });
  const mustGrow = state === undefined || state.bytes < volume.bytes;
  if (mustGrow) await filesystems.growUnmounted(device.path);
  // A clone has its source's UUID, which XFS refuses to mount beside the source.
  const own = type === 'xfs' ? ['nosuid', 'nodev', 'nouuid'] : ['nosuid', 'nodev'];
  try {
    await mounts.mount({ source: device.path, target: folder, fsType: type, options: [...own, ...flags] });
  } catch (error) {
    throw reasonOf(error, type, flags);
  }
  if (!mustGrow || flags.includes('ro')) return;
  const mount = (await mounts.list()).findLast(({ mountPoint }) => mountPoint === folder);
  if (mount === undefined) return;
  await filesystems.growMounted(mount, device.path);
}

/** What the kernel means by the errors of mounting that have a known cause. */
function reasonOf(error: unknown, type: string, flags: readonly string[]): unknown {
  if (!(error instanceof SystemCallError)) return error;
  const sentences: Readonly<Record<string, string | undefined>> = {
    EINVAL: flags.length === 0 ? undefined : `${type} refuses the mount flags ${flags.join(',')}`,
    ENODEV: `the node's kernel has no ${type}; load its module, or use another fsType`,
    EEXIST:
      type === 'btrfs'
        ? "the node's kernel cannot mount a btrfs beside its copy (that needs Linux 6.7); unstage the other one first"
        : undefined,
  };
  const sentence = sentences[error.code];
  return sentence === undefined ? error : new BerthError('FAILED_PRECONDITION', sentence, { cause: error });
}
