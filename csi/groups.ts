/** Groups of snapshots of a pool, taken at one moment: while all members are frozen. */
import { BerthError } from '../kit/errors.ts';
import { writeDeletionIntent } from './deletionintent.ts';
import { newObjectId } from './objectid.ts';
import type { PoolParts } from './poolparts.ts';
import type { GroupRecord, SnapshotRecord } from './snapshot.ts';
import { takeSnapshots, undoSnapshot } from './snapshots.ts';
import type { Snapshots } from './snapshots.ts';
import type { VolumeRecord } from './volume.ts';

export interface NewGroup {
  readonly name: string;
  /** At least one, each once. */
  readonly sourceIds: readonly string[];
  readonly reserved: boolean | undefined;
}

export interface GroupWithMembers {
  readonly group: GroupRecord;
  readonly members: readonly SnapshotRecord[];
}

export class Groups {
  readonly #parts: PoolParts;
  readonly #snapshots: Snapshots;

  constructor(parts: PoolParts, snapshots: Snapshots) {
    this.#parts = parts;
    this.#snapshots = snapshots;
  }

  /** A usable group; throws NOT_FOUND. */
  get(id: string): GroupWithMembers {
    const group = this.#parts.groups.find(id);
    if (group?.state !== 'ready')
      throw new BerthError('NOT_FOUND', `group snapshot "${id}" does not exist on this node`);
    return { group, members: group.snapshotIds.map((member) => this.#snapshots.get(member)) };
  }

  named(name: string): GroupRecord | undefined {
    return this.#parts.groups.named(name);
  }

  /**
   * The group of that name, taken if it is missing. Throws ALREADY_EXISTS when it is one of other volumes, FAILED_PRECONDITION
   * when a volume is missing or cannot be held still. The caller holds the name.
   */
  async create(request: NewGroup): Promise<GroupWithMembers> {
    const { operations } = this.#parts;
    const sourceIds = [...request.sourceIds].sort();
    const present = this.named(request.name);
    if (present !== undefined) {
      const existing = await operations.exclusive(present.id, 'creating group snapshot', async () => {
        const group = this.#parts.groups.find(present.id);
        if (group?.state === 'creating') await this.undo(group);
        if (group?.state === 'deleting') await this.finishDeletion(group);
        return this.#parts.groups.find(present.id);
      });
      if (existing?.sourceIds.join() === sourceIds.join()) return this.get(present.id);
      if (existing !== undefined)
        throw new BerthError(
          'ALREADY_EXISTS',
          `group snapshot "${request.name}" exists already as ${existing.id}, of other volumes`,
        );
    }
    return await operations.exclusiveAll(sourceIds, 'snapshotting volume', () => this.#take(request, sourceIds));
  }

  /**
   * Deletes a group and its members; one that does not exist is deleted. `members`, unless empty, has to name them all; throws
   * INVALID_ARGUMENT otherwise.
   */
  async delete(id: string, members: readonly string[]): Promise<void> {
    await this.#parts.operations.exclusive(id, 'deleting group snapshot', async () => {
      const group = this.#parts.groups.find(id);
      if (group === undefined) {
        // Its record may be lost. Its members say whose they are, and alone they cannot be deleted.
        await this.#holding({ id }, () => this.#deleteMembers({ id }));
        return;
      }
      if (group.state === 'creating') {
        await this.undo(group);
        return;
      }
      if (group.state === 'deleting') {
        await this.finishDeletion(group);
        return;
      }
      assertMembers(group, members);
      // A member that is being restored from refuses the deletion, before anything of it is written.
      await this.#holding(group, async () => {
        const deleting: GroupRecord = { ...group, state: 'deleting' };
        await writeDeletionIntent({ kind: 'group', record: deleting }, this.#parts);
        this.#parts.groups.enter(deleting);
        await this.#deleteAll(deleting);
      });
    });
  }

  /** Removes what an unfinished creation left. */
  async undo(group: GroupRecord): Promise<void> {
    for (const member of this.#membersOf(group)) await undoSnapshot(member, this.#parts);
    await this.#forget(group);
  }

  /** Goes on with a deletion whose intent is written. */
  async finishDeletion(group: GroupRecord): Promise<void> {
    await this.#holding(group, () => this.#deleteAll(group));
  }

  async #deleteAll(group: GroupRecord): Promise<void> {
    await this.#deleteMembers(group);
    await this.#forget(group);
  }

  async #deleteMembers(group: Pick<GroupRecord, 'id'>): Promise<void> {
    for (const member of this.#membersOf(group)) await this.#snapshots.deleteExisting(member);
  }

  async #holding(group: Pick<GroupRecord, 'id'>, work: () => Promise<void>): Promise<void> {
    const ids = this.#membersOf(group).map(({ id }) => id);
    await this.#parts.operations.exclusiveAll(ids, 'deleting snapshot', work);
  }

  #membersOf(group: Pick<GroupRecord, 'id'>): readonly SnapshotRecord[] {
    return this.#parts.snapshots.all().filter(({ groupId }) => groupId === group.id);
  }

  async #forget(group: GroupRecord): Promise<void> {
    await this.#parts.store.remove(group.id);
    this.#parts.groups.forget(group);
  }

  async #take(request: NewGroup, sourceIds: readonly string[]): Promise<GroupWithMembers> {
    const { pool, store, groups, atPoint } = this.#parts;
    const sources = await Promise.all(sourceIds.map((id) => this.#source(id, sourceIds.length > 1)));
    const now = Date.now();
    const record: GroupRecord = {
      id: newObjectId('group', pool.id, now),
      name: request.name,
      state: 'creating',
      sourceIds,
      snapshotIds: sourceIds.map(() => newObjectId('snapshot', pool.id, now)),
      createdAt: new Date(now).toISOString(),
    };
    groups.enter(record);
    try {
      await store.write({ kind: 'group', record });
      atPoint('group.intent');
      const members = await takeSnapshots(
        sources.map((source, i) => {
          const id = record.snapshotIds[i];
          const common = {
            source,
            name: `${request.name}/${source.id}`,
            reserved: request.reserved,
            groupId: record.id,
          };
          return id === undefined ? common : { ...common, id };
        }),
        this.#parts,
      );
      atPoint('group.made');
      const group: GroupRecord = { ...record, state: 'ready' };
      await store.write({ kind: 'group', record: group });
      groups.enter(group);
      return { group, members };
    } catch (error) {
      await this.undo(record).catch(() => undefined);
      throw error;
    }
  }

  async #source(id: string, hasOthers: boolean): Promise<VolumeRecord> {
    const { volumes, engine } = this.#parts;
    const source = volumes.find(id);
    if (source?.state !== 'ready')
      throw new BerthError('FAILED_PRECONDITION', `source volume ${id} does not exist on this node`);
    const restless = source.use.kind === 'block' ? 'raw block' : hasOthers && !engine.offers.freezes && 'a subvolume';
    if (restless !== false && (await engine.look(source)).attached) {
      throw new BerthError(
        'FAILED_PRECONDITION',
        `volume ${id} is ${restless} and in use: its writer cannot be held still with the others; stop the pod first, or snapshot it alone`,
      );
    }
    return source;
  }
}

/** Throws INVALID_ARGUMENT unless the list is empty or names exactly the members. */
export function assertMembers(group: GroupRecord, members: readonly string[]): void {
  if (members.length === 0) return;
  const same = [...members].sort().join() === [...group.snapshotIds].sort().join();
  if (same) return;
  throw new BerthError(
    'INVALID_ARGUMENT',
    `snapshot_ids are not those of group ${group.id}, which has ${group.snapshotIds.join(', ')}`,
  );
}
