/** The calls of the model: what a test wants, what was sent for it, and what was answered. */
import type { ErrorCode } from '../../../kit/errors.ts';
import type { AccessMode } from '../../volume.ts';
import type { Model, ModelType } from './model.ts';

/** Volumes, snapshots, groups and targets by the test's own numbers. */
export type Operation =
  | {
      readonly kind: 'create';
      readonly volume: number;
      readonly bytes: bigint;
      readonly type: ModelType;
      readonly source?: { readonly kind: 'volume' | 'snapshot'; readonly number: number } | undefined;
    }
  | { readonly kind: 'delete' | 'unstage'; readonly volume: number }
  | { readonly kind: 'expand'; readonly volume: number; readonly bytes: bigint }
  | { readonly kind: 'stage'; readonly volume: number; readonly flags: readonly string[] }
  | {
      readonly kind: 'publish';
      readonly volume: number;
      readonly target: number;
      readonly readonly: boolean;
      readonly mode: AccessMode;
    }
  | { readonly kind: 'unpublish' | 'stats'; readonly volume: number; readonly target: number }
  | { readonly kind: 'snapshot'; readonly snapshot: number; readonly volume: number }
  | { readonly kind: 'unsnapshot'; readonly snapshot: number }
  | { readonly kind: 'group'; readonly group: number; readonly volumes: readonly number[] }
  | { readonly kind: 'ungroup'; readonly group: number };

/** An operation as it was sent. */
export type Call = Operation & {
  /** The ID its object had at that moment, or once had, or never; of a creation that of the object with its name. */
  readonly id: string;
  /** The IDs of what it reads. */
  readonly sources: readonly string[];
};

export interface Answer {
  readonly code: ErrorCode | 'OK';
  /** Of a creation. */
  readonly id?: string;
  readonly bytes?: bigint;
  /** Snapshots of a group. */
  readonly members?: readonly { readonly id: string; readonly source: string }[];
}

export interface Answered {
  readonly call: Call;
  readonly answer: Answer;
}

/** What the model says of a call: the right answer's code. */
export interface Right {
  readonly code: Answer['code'];
  /** Undefined: nothing changes. */
  readonly next?: Model;
  /** Bytes that have to be free for it. */
  readonly asked?: bigint;
}

/** Finds the ID of an object by its kind and number: now, else the last it had, else one that never was. */
export type FindId = (kind: 'volume' | 'snapshot' | 'group', number: number) => string;

/** How the operation is sent. */
export function callOf(operation: Operation, idOf: FindId): Call {
  switch (operation.kind) {
    case 'create': {
      const { volume, source } = operation;
      const sources = source === undefined ? [] : [idOf(source.kind, source.number)];
      return { ...operation, id: idOf('volume', volume), sources };
    }
    case 'snapshot':
      return { ...operation, id: idOf('snapshot', operation.snapshot), sources: [idOf('volume', operation.volume)] };
    case 'unsnapshot':
      return { ...operation, id: idOf('snapshot', operation.snapshot), sources: [] };
    case 'group': {
      const sources = operation.volumes.map((volume) => idOf('volume', volume));
      return { ...operation, id: idOf('group', operation.group), sources };
    }
    case 'ungroup':
      return { ...operation, id: idOf('group', operation.group), sources: [] };
    default:
      return { ...operation, id: idOf('volume', operation.volume), sources: [] };
  }
}

/** ABORTED is right only beside another call that has to do with the same object. */
export function isTurnedAway({ call, answer }: Answered, all: readonly Answered[], model: Model): boolean {
  if (answer.code !== 'BUSY') return false;
  const mine = objectsOf(call, model);
  return all.some((other) => other.call !== call && objectsOf(other.call, model).some((id) => mine.includes(id)));
}

function objectsOf(call: Call, { groups }: Model): readonly string[] {
  const members = groups.find(({ id }) => id === call.id)?.members ?? [];
  const places = 'target' in call ? [`target ${call.target}`] : [];
  return [call.id, ...call.sources, ...members, ...places];
}

/** Bytes that the call may take. */
export function bytesOf(call: Call, { volumes }: Model): bigint {
  if (call.kind === 'create' || call.kind === 'expand') return call.bytes;
  if (call.kind !== 'snapshot' && call.kind !== 'group') return 0n;
  return volumes.reduce((sum, { id, bytes }) => (call.sources.includes(id) ? sum + bytes : sum), 0n);
}
