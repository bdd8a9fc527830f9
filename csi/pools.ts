/** The pools of a node as one: finds the pool of an ID, and chooses the pool of what is new. */
import { asBerthError, BerthError } from '../kit/errors.ts';
import { quote } from '../kit/quote.ts';
import { hasLimits, parseIoLimits } from './iolimits.ts';
import type { Stored } from './engine.ts';
import { poolOf } from './objectid.ts';
import type { ObjectKind } from './objectid.ts';
import type { OpenPool } from './openpool.ts';
import { canLimit } from './poollimits.ts';
import { Operations } from './operations.ts';
import { commonType } from './sizing.ts';
import type { NewVolume } from './sizing.ts';
import { assertMembers } from './groups.ts';
import type { GroupWithMembers, NewGroup } from './groups.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { NewSnapshot } from './snapshots.ts';
import { undelete } from './undeletion.ts';
import type { VolumeRecord } from './volume.ts';

/** A new volume, in the named pool or in any that can make it. */
export interface WantedVolume extends NewVolume {
  readonly pool: string | undefined;
}

export class Pools {
  readonly #pools: OpenPool[];
  // A name belongs to the node, not to a pool.
  readonly #names = new Operations();

  constructor(pools: readonly OpenPool[]) {
    this.#pools = [...pools];
  }

  /** Another pool, opened later. */
  add(open: OpenPool): void {
    this.#pools.push(open);
  }

  all(): readonly OpenPool[] {
    return this.#pools;
  }

  /** The pool an ID names, or undefined: the ID is no such ID, or of another node. */
  ofId(kind: ObjectKind, id: string): OpenPool | undefined {
    const owner = poolOf(kind, id);
    return this.#pools.find(({ pool }) => pool.id === owner);
  }

  /** The pool of a volume that can be used. Throws NOT_FOUND. */
  ofVolume(id: string): OpenPool {
    const open = this.ofId('volume', id);
    if (open === undefined) throw new BerthError('NOT_FOUND', `volume "${id}" does not exist on this node`);
    open.volumes.get(id);
    return open;
  }

  volumes(): readonly VolumeRecord[] {
    return this.#pools.flatMap(({ volumes }) => volumes.all().filter(({ state }) => state === 'ready'));
  }

  snapshots(): readonly SnapshotRecord[] {
    return this.#pools.flatMap(({ snapshots }) => snapshots.all());
  }

  /** The usable volume of that name, or undefined. */
  named(name: string): VolumeRecord | undefined {
    return this.volumes().find((volume) => volume.name === name);
  }

  /** Resolves when nothing runs in any pool. */
  async idle(): Promise<void> {
    await this.#names.idle();
    for (const { parts } of this.#pools) await parts.operations.idle();
  }

  /**
   * The volume of that name, made if it is missing. Throws ALREADY_EXISTS when it is another than asked for,
   * INVALID_ARGUMENT when no pool makes such volumes, RESOURCE_EXHAUSTED when none has room, NOT_FOUND without its source.
   */
  create(wanted: WantedVolume): Promise<VolumeRecord> {
    return this.#names.named('volume', wanted.name, async () => {
      const present = this.#pools.find(({ volumes }) => volumes.named(wanted.name) !== undefined);
      if (present !== undefined) return await present.volumes.create(wanted);
      return await this.#createIn(this.candidates(wanted), wanted);
    });
  }

  /** The pools that can make such a volume, in the order they are tried; never none. */
  candidates(
    wanted: Pick<WantedVolume, 'pool' | 'source' | 'uses' | 'provisioning'> & {
      readonly mutable?: WantedVolume['mutable'];
    },
  ): readonly OpenPool[] {
    if (wanted.source !== undefined) return [this.#ofSource(wanted.source, wanted.pool)];
    if (wanted.pool !== undefined) return [this.ofName(wanted.pool)];
    const type = commonType(wanted.uses);
    const limited = hasLimits(parseIoLimits(wanted.mutable ?? {}));
    const fitting = this.#pools.filter(({ parts }) => {
      const { types, thin, volatile } = parts.engine.offers;
      if (limited && !canLimit(parts)) return false;
      const right = type === undefined ? types.some((known) => known !== 'block') : types.includes(type);
      // What a reboot loses is for those who ask for it.
      return right && (thin || wanted.provisioning === 'thick') && !volatile;
    });
    return fitting.length > 0 ? fitting : this.#pools.slice(0, 1);
  }

  /** The pool of that name. Throws RESOURCE_EXHAUSTED, the code with which the scheduler tries another node. */
  ofName(name: string): OpenPool {
    const open = this.#pools.find(({ pool }) => pool.name === name);
    if (open !== undefined) return open;
    const names = this.#pools.map(({ pool }) => JSON.stringify(pool.name)).join(', ');
    throw new BerthError('RESOURCE_EXHAUSTED', `this node has no pool ${quote(name)}, only ${names}`);
  }

  /** Deletes the volume; one that does not exist is deleted. Throws FAILED_PRECONDITION when it is in use or elsewhere. */
  async deleteVolume(id: string): Promise<void> {
    await this.#ownerOrNever('volume', id)?.volumes.delete(id);
  }

  /** Brings something of that pool back from the trash; see `undelete`. Throws ALREADY_EXISTS when its name lives again. */
  undelete(object: Stored, open: OpenPool): Promise<Stored> {
    const { id, name } = object;
    const kind = 'sourceId' in object ? 'snapshot' : 'volume';
    return this.#names.named(kind, name, async () => {
      const records = this.#pools.map(({ parts }) => (kind === 'volume' ? parts.volumes : parts.snapshots));
      const living = records.map((each) => each.named(name)).find((found) => found !== undefined);
      if (living === undefined || living.id === id) return await undelete(id, open.parts);
      const sentence = `${kind} ${id} was called "${name}", and so is ${living.id} now; delete that first`;
      throw new BerthError('ALREADY_EXISTS', sentence);
    });
  }

  /** A usable snapshot and its pool. Throws NOT_FOUND. */
  ofSnapshot(id: string): { readonly open: OpenPool; readonly snapshot: SnapshotRecord } {
    const open = this.ofId('snapshot', id);
    if (open === undefined) throw new BerthError('NOT_FOUND', `snapshot "${id}" does not exist on this node`);
    return { open, snapshot: open.snapshots.get(id) };
  }

  /** The snapshot of that name, taken if it is missing; see `Snapshots.create`. */
  createSnapshot(wanted: NewSnapshot): Promise<SnapshotRecord> {
    return this.#names.named('snapshot', wanted.name, async () => {
      const present = this.#pools.find(({ snapshots }) => snapshots.named(wanted.name) !== undefined);
      const open = present ?? this.ofVolume(wanted.sourceId);
      return await open.snapshots.create(wanted);
    });
  }

  async deleteSnapshot(id: string): Promise<void> {
    await this.#ownerOrNever('snapshot', id)?.snapshots.delete(id);
  }

  /** The group of that name, taken if it is missing; see `Groups.create`. */
  createGroup(wanted: NewGroup): Promise<GroupWithMembers> {
    return this.#names.named('group snapshot', wanted.name, async () => {
      const present = this.#pools.find(({ groups }) => groups.named(wanted.name) !== undefined);
      if (present !== undefined) return await present.groups.create(wanted);
      const owners = new Set(wanted.sourceIds.map((id) => this.ofId('volume', id)));
      const [open] = owners;
      if (open === undefined || owners.has(undefined))
        throw new BerthError(
          'FAILED_PRECONDITION',
          'a source volume does not exist on this node; all must be on one node',
        );
      if (owners.size > 1) {
        const names = [...owners].map((owner) => owner?.pool.name).join(', ');
        throw new BerthError(
          'FAILED_PRECONDITION',
          `the source volumes lie in several pools (${names}); all must be in one`,
        );
      }
      return await open.groups.create(wanted);
    });
  }

  /** A usable group; `members`, unless empty, has to name them all. Throws NOT_FOUND, INVALID_ARGUMENT. */
  getGroup(id: string, members: readonly string[]): GroupWithMembers {
    const open = this.ofId('group', id);
    if (open === undefined) throw new BerthError('NOT_FOUND', `group snapshot "${id}" does not exist on this node`);
    const found = open.groups.get(id);
    assertMembers(found.group, members);
    return found;
  }

  async deleteGroup(id: string, members: readonly string[]): Promise<void> {
    await this.#ownerOrNever('group', id)?.groups.delete(id, members);
  }

  /** The pool of an ID; undefined for what never existed. What another node has must not be answered as deleted: it would leak. */
  #ownerOrNever(kind: ObjectKind, id: string): OpenPool | undefined {
    const owner = poolOf(kind, id);
    const open = this.ofId(kind, id);
    if (owner === undefined || open !== undefined) return open;
    const here = this.#pools.map(({ pool }) => pool.id).join(', ');
    throw new BerthError(
      'FAILED_PRECONDITION',
      `${kind} ${id} lies in another pool (${owner}); this node has ${here}; delete it on the node that has it`,
    );
  }

  #ofSource(source: NonNullable<NewVolume['source']>, name: string | undefined): OpenPool {
    const open = this.ofId(source.kind, source.id);
    if (open === undefined && poolOf(source.kind, source.id) === undefined)
      throw new BerthError('NOT_FOUND', `source ${source.kind} "${source.id}" does not exist`);
    if (open === undefined)
      throw new BerthError(
        'RESOURCE_EXHAUSTED',
        `source ${source.kind} ${source.id} lies on another node, where the copy has to be made; in Kubernetes the claim names it in its annotation volume.kubernetes.io/selected-node`,
      );
    if (name === undefined || name === open.pool.name) return open;
    throw new BerthError(
      'INVALID_ARGUMENT',
      `source ${source.kind} ${source.id} lies in pool "${open.pool.name}", "${name}" asked; a copy is made in the pool of its source`,
    );
  }

  async #createIn(candidates: readonly OpenPool[], wanted: WantedVolume): Promise<VolumeRecord> {
    let refused: unknown;
    for (const open of candidates) {
      try {
        return await open.volumes.create(wanted);
      } catch (error) {
        // Full, or its disk is gone: another may do.
        if (!['RESOURCE_EXHAUSTED', 'UNAVAILABLE'].includes(asBerthError(error).code)) throw error;
        refused ??= error;
      }
    }
    throw refused;
  }
}
