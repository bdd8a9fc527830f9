/** Right answers about snapshots and groups of them. Pure. */
import { availableIn } from './model.ts';
import type { Model, ModelSnapshot, ModelVolume } from './model.ts';
import type { Answer, Call, Right } from './operation.ts';

export function snapshotted(model: Model, call: Call & { kind: 'snapshot' }, answer: Answer): Right {
  const { snapshot: name, sources } = call;
  const existing = model.snapshots.find((snapshot) => snapshot.name === name);
  if (existing !== undefined) {
    if (!sources.includes(existing.source)) return { code: 'ALREADY_EXISTS' };
    return { code: answer.id === existing.id ? 'OK' : 'INTERNAL' };
  }
  const source = model.volumes.find(({ id }) => sources.includes(id));
  if (source === undefined) return { code: 'NOT_FOUND' };
  const made = taken(model, [{ name, source, id: answer.id ?? '' }]) ?? { code: 'RESOURCE_EXHAUSTED' };
  return made.code === 'OK' && cannotBeCopied(model, source) ? { code: 'FAILED_PRECONDITION' } : made;
}

/** A raw block that somebody may be writing to cannot be copied byte by byte. */
export function cannotBeCopied({ copies }: Model, source: ModelVolume | ModelSnapshot | undefined): boolean {
  return copies === 'full' && source?.type === 'block' && 'staged' in source && source.staged !== undefined;
}

export function snapshotDeleted(model: Model, id: string): Right {
  if (model.groups.some(({ members }) => members.includes(id))) return { code: 'INVALID_ARGUMENT' };
  return { code: 'OK', next: { ...model, snapshots: model.snapshots.filter((snapshot) => snapshot.id !== id) } };
}

export function grouped(model: Model, call: Call & { kind: 'group' }, answer: Answer): Right {
  const { group: name } = call;
  const sources = call.sources.toSorted();
  const existing = model.groups.find((group) => group.name === name);
  if (existing !== undefined) {
    if (existing.sources.join() !== sources.join()) return { code: 'ALREADY_EXISTS' };
    const members = answer.members?.map((member) => member.id).toSorted();
    const same = existing.id === answer.id && existing.members.toSorted().join() === members?.join();
    return { code: same ? 'OK' : 'INTERNAL' };
  }
  const volumes = model.volumes.filter(({ id }) => sources.includes(id));
  // Who writes to a raw block cannot be held still.
  const cannot =
    volumes.length < sources.length || volumes.some(({ type, staged }) => type === 'block' && staged !== undefined);
  if (cannot) return { code: 'FAILED_PRECONDITION' };
  const { id = '', members = [] } = answer;
  const made = taken(
    model,
    volumes.map((source, i) => {
      const id = members.find((member) => member.source === source.id)?.id ?? `unanswered-${i}`;
      return { name: undefined, source, id };
    }),
  );
  if (made === undefined) return { code: 'RESOURCE_EXHAUSTED' };
  if (made.code !== 'OK' || made.next === undefined || model.seen.includes(id)) return { code: 'INTERNAL' };
  const groups = [...model.groups, { id, name, sources, members: members.map((member) => member.id) }];
  return { ...made, next: { ...made.next, groups, seen: [...made.next.seen, id] } };
}

export function groupDeleted(model: Model, id: string): Right {
  const group = model.groups.find((other) => other.id === id);
  if (group === undefined) return { code: 'OK' };
  const snapshots = model.snapshots.filter((snapshot) => !group.members.includes(snapshot.id));
  return { code: 'OK', next: { ...model, snapshots, groups: model.groups.filter((other) => other !== group) } };
}

interface Wanted {
  readonly name: number | undefined;
  readonly source: ModelVolume;
  readonly id: string;
}

/** Undefined when there is no room for all of them. */
function taken(model: Model, wanted: readonly Wanted[]): Right | undefined {
  const asked = wanted.reduce((sum, { source }) => sum + source.bytes, 0n);
  if (asked > availableIn(model)) return undefined;
  const made = wanted.map(({ name, id, source: { id: source, bytes, type, written } }): ModelSnapshot => ({
    id,
    name,
    bytes,
    type,
    source,
    written,
  }));
  const ids = made.map(({ id }) => id);
  if (ids.some((id) => model.seen.includes(id))) return { code: 'INTERNAL' };
  const next = { ...model, snapshots: [...model.snapshots, ...made], seen: [...model.seen, ...ids] };
  return { code: 'OK', next, asked };
}
