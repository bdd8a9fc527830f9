/**
 * The capacity of subvolumes, by full quotas of btrfs: a limit on each volume's own group. Whoever may write to a folder may
 * make subvolumes in it, which count for themselves: these are put under the limit, too, in a group around them all.
 */
import { BerthError } from '../kit/errors.ts';
import type { SubvolumeLink, Subvolumes } from '../linux/btrfs.ts';
import { groupOfLevel } from '../linux/btrfsquota.ts';
import type { BtrfsQuotas, QuotaGroup } from '../linux/btrfsquota.ts';
import { missingIsUndefined } from './missing.ts';

export interface SubvolumeLimitsParts {
  readonly subvolumes: Subvolumes;
  readonly quotas: BtrfsQuotas;
  /** Where the pool's volumes are. */
  readonly folder: string;
}

/** A level nobody else uses: administrators begin with 1. */
const level = 0xbe7n;

/** The group around a volume and what was made in it. */
export function groupAround(id: bigint): bigint {
  return groupOfLevel(level, id);
}

/** All subvolumes inside one, each before those inside it. */
export function subvolumesInside(id: bigint, links: readonly SubvolumeLink[]): readonly bigint[] {
  const children = Map.groupBy(links, ({ parent }) => parent);
  const found = [id];
  // It grows while it is walked through.
  for (const parent of found) for (const link of children.get(parent) ?? []) found.push(link.id);
  return found.slice(1);
}

/** What is promised to volumes and not theirs alone yet, in bytes: what they share they may overwrite, which takes space anew. */
export function outstanding(groups: ReadonlyMap<bigint, QuotaGroup>, volumes: readonly bigint[]): bigint {
  let sum = 0n;
  for (const id of volumes) {
    const { limit = 0n, exclusive = 0n } = groups.get(groupAround(id)) ?? groups.get(id) ?? {};
    if (limit > exclusive) sum += limit - exclusive;
  }
  return sum;
}

export class SubvolumeLimits {
  readonly #parts: SubvolumeLimitsParts;
  /** Subvolumes that are in the group around their volume. */
  readonly #included = new Set<bigint>();

  constructor(parts: SubvolumeLimitsParts) {
    this.#parts = parts;
  }

  /** Switches quotas on. Throws FAILED_PRECONDITION when others are on, that do not count what Berth promises. */
  async open(pool: string): Promise<void> {
    const { quotas, folder } = this.#parts;
    const { mode } = await quotas.status(folder);
    if (mode === 'simple') {
      // A volume would pay for what only its snapshots still hold, and could no longer be overwritten; a clone for nothing.
      const advice = `run \`btrfs quota disable ${folder}\` and start again`;
      throw new BerthError(
        'FAILED_PRECONDITION',
        `${pool} has simple quotas, which count snapshots wrongly; ${advice}`,
      );
    }
    if (mode === 'off') await quotas.enable(folder);
    await this.#recount();
  }

  /** Sets what the volume may hold. */
  async set(id: bigint, bytes: bigint): Promise<void> {
    const { quotas, folder } = this.#parts;
    await quotas.limit(folder, id, bytes);
    if ((await quotas.group(folder, groupAround(id))) !== undefined) await quotas.limit(folder, groupAround(id), bytes);
  }

  /** Lets a subvolume hold anything. */
  async lift(id: bigint): Promise<void> {
    const { quotas, folder } = this.#parts;
    for (const group of [id, groupAround(id)]) await missingIsUndefined(quotas.limit(folder, group, undefined));
  }

  /** All subvolumes inside a volume, each before those inside it. */
  async inside(id: bigint): Promise<readonly bigint[]> {
    const { subvolumes, folder } = this.#parts;
    // Mostly there are none, which is quickly told.
    if ((await subvolumes.links(folder, id)).length === 0) return [];
    return subvolumesInside(id, await subvolumes.links(folder));
  }

  /** What the volume may hold, or undefined when it has no limit (any more). */
  async of(id: bigint): Promise<bigint | undefined> {
    return (await this.#parts.quotas.group(this.#parts.folder, id))?.limit;
  }

  /** Bytes the volume holds, with what was made in it; that is put under its limit of `bytes`. */
  async used(id: bigint, bytes: bigint): Promise<bigint> {
    const { quotas, folder } = this.#parts;
    await this.#include(id, bytes, await this.inside(id));
    await this.#recount();
    const group = (await quotas.group(folder, groupAround(id))) ?? (await quotas.group(folder, id));
    return group?.referenced ?? 0n;
  }

  /** What is promised to the volumes and not theirs alone yet; what was made in them is put under their limits. */
  async outstanding(isVolume: (link: SubvolumeLink) => boolean): Promise<bigint> {
    const { quotas, subvolumes, folder } = this.#parts;
    const links = await subvolumes.links(folder);
    const groups = await quotas.groups(folder);
    const volumes = links.filter(isVolume).map(({ id }) => id);
    const parents = new Set(links.map(({ parent }) => parent));
    for (const id of volumes) {
      const limit = groups.get(id)?.limit;
      if (limit !== undefined && parents.has(id)) await this.#include(id, limit, subvolumesInside(id, links));
    }
    await this.#recount();
    return outstanding(groups, volumes);
  }

  async #include(id: bigint, bytes: bigint, inside: readonly bigint[]): Promise<void> {
    const { quotas, folder } = this.#parts;
    const fresh = [id, ...inside].filter((member) => !this.#included.has(member));
    if (inside.length === 0 || fresh.length === 0) return;
    const group = groupAround(id);
    await quotas.createGroup(folder, group);
    await quotas.limit(folder, group, bytes);
    for (const member of fresh) {
      // ENOENT: gone since they were listed.
      await missingIsUndefined(quotas.assign(folder, { member, group }));
      this.#included.add(member);
    }
  }

  /** The kernel stops counting when it meets what would take long, such as the end of a large snapshot. */
  async #recount(): Promise<void> {
    const { quotas, folder } = this.#parts;
    const { inconsistent, scanning } = await quotas.status(folder);
    if (inconsistent && !scanning) await quotas.rescan(folder);
  }
}
