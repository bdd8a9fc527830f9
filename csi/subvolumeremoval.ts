/**
 * Takes subvolumes away with what was made in them, and then their quota groups. Older kernels keep those, and remove them only
 * when the subvolume's space is freed, which happens in the background: a file in the trash remembers it till then.
 */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../kit/backoff.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Subvolumes } from '../linux/btrfs.ts';
import type { BtrfsQuotas } from '../linux/btrfsquota.ts';
import { missingIsUndefined } from './missing.ts';
import type { SubvolumeLimits } from './subvolumelimits.ts';
import { groupAround } from './subvolumelimits.ts';

export interface SubvolumeRemovalParts {
  readonly subvolumes: Subvolumes;
  readonly quotas: BtrfsQuotas;
  readonly limits: SubvolumeLimits;
  readonly trash: string;
}

const notePattern = /^\.dropped-(\d{1,20})$/;

/** How long a removal waits for the space to be free: whoever deleted it may ask for that space next. */
const waits = [2, 5, 10, 20, 50, 100, 200, 400, 800] as const;

export class SubvolumeRemoval {
  readonly #parts: SubvolumeRemovalParts;
  readonly #lock = new KeyedLock();
  /** Destroyed, and not waited for yet. */
  #fresh: bigint[] = [];

  constructor(parts: SubvolumeRemovalParts) {
    this.#parts = parts;
  }

  /** Destroys the subvolume at the path and all inside; nothing happens when there is none. */
  async destroy(path: string): Promise<void> {
    // Two that empty the trash at once would take each other's away.
    await this.#lock.run('destroy', () => this.#destroy(path));
  }

  async #destroy(path: string): Promise<void> {
    const { subvolumes, limits, trash } = this.#parts;
    const id = await missingIsUndefined(subvolumes.idOf(path));
    if (id === undefined) return;
    const inside = await limits.inside(id);
    // Nothing can be destroyed in what is full, or what its owner has made read-only.
    if (inside.length > 0) {
      for (const each of [id, ...inside]) {
        await limits.lift(each);
        await subvolumes.setReadonly(trash, each, false);
      }
    }
    for (const each of [...inside.toReversed(), id]) {
      // In the same or an earlier transaction than the end of the subvolume: a power loss loses both or none.
      await writeFile(join(trash, `.dropped-${each}`), '');
      await subvolumes.destroy(trash, each);
      this.#fresh.push(each);
    }
  }

  /** Waits a little until the space of what was destroyed is free, and removes the quota groups of all that is. */
  async finish(): Promise<void> {
    const { subvolumes, trash } = this.#parts;
    const fresh = new Set(this.#fresh);
    this.#fresh = [];
    const waiting = async (): Promise<boolean> => (await this.#tidy()).some((id) => fresh.has(id));
    if (!(await waiting())) return;
    void subvolumes.clean(trash).catch(() => undefined);
    const never = new AbortController().signal;
    for (const wait of waits) {
      await pause(wait, never);
      if (!(await waiting())) return;
    }
  }

  /** Those that are left. */
  async #tidy(): Promise<readonly bigint[]> {
    const { subvolumes, trash } = this.#parts;
    const ids = (await readdir(trash)).flatMap((file) => notePattern.exec(file)?.[1] ?? []).map(BigInt);
    const left: bigint[] = [];
    // What was made later may be a member of the group around what was made earlier.
    for (const id of ids.sort((a, b) => (a < b ? 1 : -1))) {
      const freed = !(await subvolumes.exists(trash, id));
      const forgotten = freed && (await this.#forget(id)) && (await this.#forget(groupAround(id)));
      if (forgotten) await rm(join(trash, `.dropped-${id}`), { force: true });
      else left.push(id);
    }
    return left;
  }

  /**
   * Removes a group that counts nothing any more. The kernel counts at a commit: of one that is removed with bytes in it, it takes all
   * counts for wrong, and no volume has a limit until all is counted anew. False: not yet.
   */
  async #forget(group: bigint): Promise<boolean> {
    const { subvolumes, quotas, trash } = this.#parts;
    const counts = async (): Promise<boolean> => ((await quotas.group(trash, group))?.referenced ?? 0n) > 0n;
    if (await counts()) {
      await subvolumes.commit(trash);
      // Counts that are wrong already never come to nothing.
      if ((await counts()) && !(await quotas.status(trash)).inconsistent) return false;
    }
    return await quotas.removeGroup(trash, group);
  }
}
