/**
 * Quotas of btrfs: every subvolume has a quota group of level 0 with its number; groups of higher levels count several
 * together. The kernel counts at each commit (30 s, or sooner when a limit is near), so figures lag by as much.
 */
import { errnoOf } from '../kit/errors.ts';
import { askBtrfs, words } from './btrfsioctl.ts';
import { btrfsTrees, lastOffset, searchTree } from './btrfssearch.ts';
import type { BtrfsItem } from './btrfssearch.ts';

/** What a quota group counts and allows, in bytes. */
export interface QuotaGroup {
  /** All it holds, shared with others or not; what the limit is about. */
  readonly referenced: bigint;
  /** What only it holds: the bytes that are free when it is gone. */
  readonly exclusive: bigint;
  readonly limit: bigint | undefined;
}

export interface QuotaStatus {
  /** `simple` counts bytes to whoever wrote them first, also when only a snapshot still holds them. */
  readonly mode: 'off' | 'full' | 'simple';
  /** The counts are not right (nothing is counted until a rescan has ended). */
  readonly inconsistent: boolean;
  readonly scanning: boolean;
}

/** Failures are SystemCallErrors. `folder` is any of the filesystem. */
export interface BtrfsQuotas {
  status(folder: string): Promise<QuotaStatus>;
  /** Switches full quotas on; nothing happens when any are on. */
  enable(folder: string): Promise<void>;
  /** Starts counting everything anew, in the background; nothing happens while that is being done. */
  rescan(folder: string): Promise<void>;
  /** One group, or undefined when there is none of that number. */
  group(folder: string, group: bigint): Promise<QuotaGroup | undefined>;
  /** All groups by number. */
  groups(folder: string): Promise<ReadonlyMap<bigint, QuotaGroup>>;
  /** Sets what a group may hold, or with undefined that it may hold anything. What it holds already it keeps. */
  limit(folder: string, group: bigint, bytes: bigint | undefined): Promise<void>;
  /** Makes a group of a higher level; nothing happens when there is one. */
  createGroup(folder: string, group: bigint): Promise<void>;
  /** Counts a group also in one of a higher level. Nothing happens when it is. Counts may be inconsistent afterwards. */
  assign(folder: string, request: { readonly member: bigint; readonly group: bigint }): Promise<void>;
  /** Removes a group. False when it has to stay: its subvolume or a member exists. */
  removeGroup(folder: string, group: bigint): Promise<boolean>;
}

const [QUOTA_ENABLE, MAX_RFER] = [1n, 1n];
const unlimited = (1n << 64n) - 1n;
const [STATUS, INFO, LIMIT] = [240, 242, 244];
const flags = { on: 1n, rescan: 2n, inconsistent: 4n, simple: 8n } as const;

/** The group of the level that counts several, for a subvolume's number. */
export function groupOfLevel(level: bigint, subvolume: bigint): bigint {
  return (level << 48n) | subvolume;
}

/** Groups from INFO items (generation, then four counts) and LIMIT items (flags, then the limits). */
export function parseGroups(items: readonly BtrfsItem[]): Map<bigint, QuotaGroup> {
  const groups = new Map<bigint, QuotaGroup>();
  for (const { type, offset, data } of items) {
    const known = groups.get(offset) ?? { referenced: 0n, exclusive: 0n, limit: undefined };
    if (type === INFO)
      groups.set(offset, { ...known, referenced: data.readBigUInt64LE(8), exclusive: data.readBigUInt64LE(24) });
    if (type === LIMIT) {
      const limited = (data.readBigUInt64LE(0) & MAX_RFER) !== 0n;
      groups.set(offset, { ...known, limit: limited ? data.readBigUInt64LE(8) : undefined });
    }
  }
  return groups;
}

/** The status from its item (version, generation, flags, progress); no item: off. */
export function parseStatus([item]: readonly BtrfsItem[]): QuotaStatus {
  const bits = item?.data.readBigUInt64LE(16) ?? 0n;
  if ((bits & flags.on) === 0n) return { mode: 'off', inconsistent: false, scanning: false };
  return {
    mode: (bits & flags.simple) !== 0n ? 'simple' : 'full',
    inconsistent: (bits & flags.inconsistent) !== 0n,
    scanning: (bits & flags.rescan) !== 0n,
  };
}

async function ignoring(errno: string, work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (errnoOf(error) !== errno) throw error;
    return false;
  }
}

/** Items of the quota tree: of all groups from one type to another, or one type of one group. None when quotas were never on. */
async function items(folder: string, [first, last]: readonly [number, number], group?: bigint): Promise<BtrfsItem[]> {
  const range = {
    first: { object: 0n, type: first, offset: group ?? 0n },
    last: { object: 0n, type: last, offset: group ?? lastOffset },
  };
  try {
    return await searchTree(folder, btrfsTrees.quota, range);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The quotas of this kernel. Needs CAP_SYS_ADMIN. */
export function kernelBtrfsQuotas(): BtrfsQuotas {
  return {
    status: async (folder) => parseStatus(await items(folder, [STATUS, STATUS])),
    enable: async (folder) => {
      await askBtrfs(folder, 'QUOTA_CTL', words(QUOTA_ENABLE, 0n));
    },
    rescan: async (folder) => {
      await ignoring('EINPROGRESS', askBtrfs(folder, 'QUOTA_RESCAN', Buffer.alloc(64)));
    },
    group: async (folder, group) => {
      const found = [...(await items(folder, [INFO, INFO], group)), ...(await items(folder, [LIMIT, LIMIT], group))];
      return parseGroups(found).get(group);
    },
    groups: async (folder) => parseGroups(await items(folder, [INFO, LIMIT])),
    limit: async (folder, group, bytes) => {
      await askBtrfs(folder, 'QGROUP_LIMIT', words(group, MAX_RFER, bytes ?? unlimited, 0n, 0n, 0n));
    },
    createGroup: async (folder, group) => {
      await ignoring('EEXIST', askBtrfs(folder, 'QGROUP_CREATE', words(1n, group)));
    },
    assign: async (folder, { member, group }) => {
      await ignoring('EEXIST', askBtrfs(folder, 'QGROUP_ASSIGN', words(1n, member, group)));
    },
    removeGroup: async (folder, group) => {
      // ENOENT: newer kernels remove a subvolume's group themselves.
      const removing = ignoring('ENOENT', askBtrfs(folder, 'QGROUP_CREATE', words(0n, group)));
      return await ignoring('EBUSY', removing);
    },
  };
}
