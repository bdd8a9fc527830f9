/** Probes for the pools of this node. */
import type { StorageConfig } from '../../../csi/config.ts';
import { sizeText } from '../../commands/cells.ts';
import { failure, pass, unknown, warning, worstOf } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { probe } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { withStorage } from '../probe.ts';
import { poolsOf } from './pools.ts';
import type { PoolFacts } from './pools.ts';

/** What was not read is said once, by `storage.pool-folder`. */
function unread({ pool, trouble, isFolder }: PoolFacts): Verdict | undefined {
  if (trouble === undefined && isFolder === true) return undefined;
  return unknown(`pool "${pool.name}" was not looked at: see storage.pool-folder`);
}

function judgeFolder({ pool, isFolder, identity, trouble }: PoolFacts): Verdict {
  const { name, path } = pool;
  if (trouble !== undefined)
    return failure(`pool "${name}" cannot be read: ${trouble}`, `mount | grep ${path}; dmesg | tail`, {
      what: trouble,
      from: path,
    });
  if (isFolder === undefined)
    return warning(
      `pool "${name}": ${path} does not exist; the agent makes it when it starts`,
      `mount its disk there, or mkdir -p ${path}`,
      { what: 'no such folder', from: path },
    );
  if (!isFolder)
    return failure(`pool "${name}": ${path} is no folder`, 'set the path of the pool in the NodeConfig to a folder', {
      what: 'no folder',
      from: path,
    });
  if (identity === 'damaged')
    return failure(
      `pool "${name}": ${path}/pool.json is damaged, so the pool is not opened`,
      'restore that file from a copy, or write it again: docs/recovery.md#a-pooljson-that-is-damaged-or-lost',
      { what: 'damaged', from: `${path}/pool.json` },
    );
  if (identity === 'none') return pass(`pool "${name}" is empty so far`, { what: 'no pool.json', from: path });
  return pass(`pool "${name}" is at ${path}`, { what: 'pool.json', from: path });
}

function judgeDisk(facts: PoolFacts): Verdict {
  const { pool, unmounted, told, mountPoint } = facts;
  const { name, path } = pool;
  if (unmounted !== undefined)
    return failure(
      `pool "${name}" at ${path}: nothing is mounted on ${unmounted}, which /etc/fstab names`,
      `mount ${unmounted}`,
      { what: `${unmounted} has no mount`, from: '/etc/fstab' },
    );
  if (told !== undefined && /PoolMissing|is not at|pool\.json/.test(told))
    return failure(
      `pool "${name}" is not at ${path} now: its disk is not mounted, or another is`,
      `mount its disk on ${path} again: findmnt ${path}; lsblk -f`,
      { what: told, from: 'the agent' },
      { what: `lies on ${mountPoint}`, from: '/proc/self/mountinfo' },
    );
  return (
    unread(facts) ?? pass(`pool "${name}" lies on ${mountPoint}`, { what: mountPoint, from: '/proc/self/mountinfo' })
  );
}

/** What keeps no bytes over a reboot, or that others may change underneath. */
const unfit = ['tmpfs', 'overlay', 'ramfs'];

function judgeFilesystem(facts: PoolFacts): Verdict {
  const { pool, abilities, mountPoint } = facts;
  const skipped = unread(facts);
  if (skipped !== undefined) return skipped;
  const type = abilities?.type ?? '';
  const evidence = { what: type, from: mountPoint };
  if (pool.engine === 'subvolume' && type !== 'btrfs')
    return failure(
      `pool "${pool.name}" has the engine subvolume and lies on ${type}`,
      `mkfs.btrfs a disk and mount it on ${pool.path}, or set engine: image`,
      evidence,
    );
  if (pool.engine === 'image' && unfit.includes(type))
    return failure(
      `pool "${pool.name}" lies on ${type}, from which volumes vanish`,
      `mkfs.xfs a disk and mount it on ${pool.path}, or set its path to a disk`,
      evidence,
    );
  if (pool.engine === 'image' && !['xfs', 'ext4', 'btrfs'].includes(type))
    return warning(
      `pool "${pool.name}" lies on a filesystem Berth was not tried on (${type})`,
      `mkfs.xfs a disk and mount it on ${pool.path}`,
      evidence,
    );
  return pass(`pool "${pool.name}" lies on ${type}`, evidence);
}

function judgeReflink(facts: PoolFacts): Verdict {
  const { pool, abilities, mountPoint } = facts;
  if (pool.engine === 'tmpfs') return pass(`pool "${pool.name}" takes no snapshots`);
  const skipped = unread(facts);
  if (skipped !== undefined) return skipped;
  const evidence = {
    what: `${abilities?.type ?? ''}, reflink ${abilities?.reflink === true ? 'yes' : 'no'}`,
    from: mountPoint,
  };
  if (abilities?.reflink === true) return pass(`snapshots of pool "${pool.name}" share bytes`, evidence);
  return warning(
    `files on ${mountPoint} cannot share bytes: snapshots and clones in pool "${pool.name}" are full copies`,
    `mkfs.xfs (or mkfs.btrfs) a disk and mount it on ${pool.path}`,
    evidence,
  );
}

function judgeSpace(facts: PoolFacts): Verdict {
  const { pool, space, mountPoint } = facts;
  if (pool.engine === 'tmpfs') return pass(`pool "${pool.name}" is memory`);
  const skipped = unread(facts);
  if (skipped !== undefined || space === undefined)
    return skipped ?? unknown(`pool "${pool.name}": its space is not known`);
  const { total, available, inodes, freeInodes } = space;
  const evidence = {
    what: `${sizeText(available)} of ${sizeText(total)} free, ${freeInodes} of ${inodes} inodes`,
    from: mountPoint,
  };
  const fix = `berth get pools; berth get trash; delete claims or snapshots, or enlarge the filesystem of ${pool.path}`;
  const [share, files] = [available / Math.max(1, total), inodes === 0 ? 1 : freeInodes / inodes];
  if (share < 0.01 || files < 0.01) return failure(`pool "${pool.name}" is full`, fix, evidence);
  if (share < 0.1 || files < 0.1) return warning(`pool "${pool.name}" is nearly full`, fix, evidence);
  return pass(`pool "${pool.name}" has ${sizeText(available)} free`, evidence);
}

function judgeDirectIo(facts: PoolFacts): Verdict {
  const { pool, directIo, abilities, mountPoint } = facts;
  if (pool.engine !== 'image') return pass(`pool "${pool.name}" has no image files`);
  const skipped = unread(facts);
  if (skipped !== undefined) return skipped;
  const evidence = {
    what: `O_DIRECT on ${abilities?.type ?? ''}: ${directIo === true ? 'yes' : 'no'}`,
    from: mountPoint,
  };
  if (directIo === undefined) return pass(`pool "${pool.name}" has no file yet to try direct I/O on`);
  if (directIo) return pass(`files of pool "${pool.name}" can be read past the page cache`, evidence);
  return warning(
    `files of pool "${pool.name}" are read and written through the page cache: each byte takes memory twice`,
    `mkfs.xfs a disk and mount it on ${pool.path}`,
    evidence,
  );
}

/** One finding for all pools. */
const ofPools = (
  about: Pick<Probe, 'id' | 'title' | 'why' | 'mend'>,
  judge: (facts: PoolFacts) => Verdict,
  well: string,
): Probe =>
  probe<StorageConfig, readonly PoolFacts[]>({
    ...about,
    of: withStorage,
    read: poolsOf,
    judge: (pools) =>
      pools.length === 1 && pools[0] !== undefined ? judge(pools[0]) : worstOf(pools.map(judge), well),
  });

export const storageProbes: readonly Probe[] = [
  ofPools(
    {
      id: 'storage.pool-folder',
      title: 'each pool is there',
      why: 'A pool whose folder cannot be read serves no volume. A disk that does not answer is named, and not waited for.',
      mend: 'Mount its disk; `dmesg` tells of one that fails.',
    },
    judgeFolder,
    'all pools are there',
  ),
  ofPools(
    {
      id: 'storage.pool-disk',
      title: "each pool's disk is mounted",
      why: 'Without its disk the folder is an empty one of another filesystem. It is told by /etc/fstab, and by the agent, which knows the pool that was there.',
      mend: '`mount PATH`; with `nofail` in /etc/fstab the node starts without it, and says so here.',
    },
    judgeDisk,
    'all disks are mounted',
  ),
  ofPools(
    {
      id: 'storage.pool-filesystem',
      title: 'each pool lies on a filesystem fit for it',
      why: 'Images want xfs, ext4 or btrfs; subvolumes want btrfs; on tmpfs or a container’s own layer volumes vanish.',
      mend: 'A disk with `mkfs.xfs` (or `mkfs.btrfs` for `engine: subvolume`), mounted on the path of the pool.',
    },
    judgeFilesystem,
    'all lie on a filesystem fit for them',
  ),
  ofPools(
    {
      id: 'storage.pool-reflink',
      title: 'snapshots share bytes with their volume',
      why: 'On xfs and btrfs a snapshot takes no time and no space; elsewhere it is a full copy, and the volume stands still meanwhile.',
      mend: 'A disk with `mkfs.xfs` or `mkfs.btrfs`; a pool is not converted: make another, and move claims.',
    },
    judgeReflink,
    'snapshots share bytes in all pools',
  ),
  ofPools(
    {
      id: 'storage.pool-space',
      title: 'each pool has room',
      why: 'Volumes with reserved space go on when a pool is full; thin ones, snapshots and the records of both do not.',
      mend: 'Deleted claims and snapshots, a shorter `trashRetention`, or a larger filesystem.',
    },
    judgeSpace,
    'all pools have room',
  ),
  ofPools(
    {
      id: 'storage.pool-direct-io',
      title: 'image files can be read past the page cache',
      why: 'Without direct I/O each byte of a volume is in memory twice, and what an application has synced waits for the cache of the pool.',
      mend: 'xfs or ext4 for the pool.',
    },
    judgeDirectIo,
    'direct I/O in all pools',
  ),
];
