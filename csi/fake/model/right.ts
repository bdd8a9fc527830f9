/** Which answer to a call is right, and what is then there. Pure. */
import { availableIn, withVolume } from './model.ts';
import type { Model, ModelVolume } from './model.ts';
import type { Answer, Call, Right } from './operation.ts';
import { cannotBeCopied, groupDeleted, grouped, snapshotDeleted, snapshotted } from './rightsnapshots.ts';
import { published, staged, unpublished } from './rightuse.ts';

/**
 * The model after the call, or undefined when that answer is wrong. What needs less than `room` is never refused for want of
 * space: what others are just taking may be counted twice for a moment, and what shares bytes is measured now and then.
 */
export function after(model: Model, call: Call, answer: Answer, room: bigint): Model | undefined {
  const { code, next, asked = 0n } = right(model, call, answer);
  if (code === answer.code) return next ?? model;
  return code === 'OK' && answer.code === 'RESOURCE_EXHAUSTED' && asked > room ? model : undefined;
}

function right(model: Model, call: Call, answer: Answer): Right {
  switch (call.kind) {
    case 'create':
      return created(model, call, answer);
    case 'snapshot':
      return snapshotted(model, call, answer);
    case 'unsnapshot':
      return snapshotDeleted(model, call.id);
    case 'group':
      return grouped(model, call, answer);
    case 'ungroup':
      return groupDeleted(model, call.id);
    default:
      return ofVolume(model, call, answer);
  }
}

type VolumeCall = Exclude<Call, { kind: 'create' | 'snapshot' | 'unsnapshot' | 'group' | 'ungroup' }>;

function ofVolume(model: Model, call: VolumeCall, answer: Answer): Right {
  const volume = model.volumes.find(({ id }) => id === call.id);
  if (call.kind === 'unpublish') return unpublished(model, volume, call.target);
  if (volume === undefined) return { code: call.kind === 'delete' || call.kind === 'unstage' ? 'OK' : 'NOT_FOUND' };
  switch (call.kind) {
    case 'delete':
      if (volume.staged !== undefined) return { code: 'FAILED_PRECONDITION' };
      return { code: 'OK', next: { ...model, volumes: model.volumes.filter((other) => other !== volume) } };
    case 'expand':
      return expanded(model, volume, call.bytes, answer);
    case 'stage':
      return staged(model, volume, call.flags);
    case 'unstage':
      if (volume.published.length > 0) return { code: 'FAILED_PRECONDITION' };
      return { code: 'OK', next: withVolume(model, { ...volume, staged: undefined }) };
    case 'publish':
      return published(model, volume, call);
    case 'stats':
      return { code: volume.published.some(({ target }) => target === call.target) ? 'OK' : 'NOT_FOUND' };
  }
}

function created(model: Model, call: Call & { kind: 'create' }, answer: Answer): Right {
  const { volume: name, bytes, type, sources } = call;
  const [source] = sources;
  const existing = model.volumes.find((volume) => volume.name === name);
  if (existing !== undefined) {
    const same = existing.bytes === bytes && existing.type === type && existing.source === source;
    return { code: !same ? 'ALREADY_EXISTS' : answer.id === existing.id ? 'OK' : 'INTERNAL' };
  }
  const from = [...model.volumes, ...model.snapshots].find(({ id }) => id === source);
  if (source !== undefined) {
    if (from === undefined) return { code: 'NOT_FOUND' };
    if (from.type !== type) return { code: 'INVALID_ARGUMENT' };
    if (bytes < from.bytes) return { code: 'OUT_OF_RANGE' };
  }
  if (bytes > availableIn(model)) return { code: 'RESOURCE_EXHAUSTED' };
  if (cannotBeCopied(model, from)) return { code: 'FAILED_PRECONDITION' };
  const id = answer.id ?? '';
  if (model.seen.includes(id)) return { code: 'INTERNAL' };
  const written = from?.written ?? [];
  const volume: ModelVolume = { id, name, bytes, type, source, staged: undefined, published: [], written };
  const next = { ...model, volumes: [...model.volumes, volume], seen: [...model.seen, id] };
  return { code: 'OK', next, asked: bytes };
}

function expanded(model: Model, volume: ModelVolume, wanted: bigint, answer: Answer): Right {
  const bytes = wanted > volume.bytes ? wanted : volume.bytes;
  const asked = bytes - volume.bytes;
  if (asked > availableIn(model)) return { code: 'RESOURCE_EXHAUSTED' };
  const exact = answer.code !== 'OK' || answer.bytes === bytes;
  return { code: exact ? 'OK' : 'INTERNAL', next: withVolume(model, { ...volume, bytes }), asked };
}
