/** Random operations of the model. */
import fc from 'fast-check';
import { MiB } from '../../quantity.ts';
import type { ModelType } from './model.ts';
import type { Operation } from './operation.ts';

const number = fc.nat(2);
const bytes = fc.constantFrom(64n * MiB, 96n * MiB, 128n * MiB);
const type = fc.constantFrom<ModelType>('ext4', 'block');
const kind = <K extends Operation['kind']>(...kinds: K[]): fc.Arbitrary<K> => fc.constantFrom(...kinds);

/** Any call, most of them about things that are not there. */
export const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: kind('create'), volume: number, bytes, type }),
  fc.record({
    kind: kind('create'),
    volume: number,
    bytes,
    type,
    source: fc.record({ kind: fc.constantFrom('volume' as const, 'snapshot' as const), number }),
  }),
  fc.record({ kind: kind('delete', 'unstage'), volume: number }),
  fc.record({ kind: kind('expand'), volume: number, bytes }),
  fc.record({ kind: kind('stage'), volume: number, flags: fc.constantFrom([], ['noatime']) }),
  fc.record({
    kind: kind('publish'),
    volume: number,
    target: number,
    readonly: fc.boolean(),
    mode: fc.constantFrom('SINGLE_NODE_MULTI_WRITER' as const, 'SINGLE_NODE_SINGLE_WRITER' as const),
  }),
  fc.record({ kind: kind('unpublish', 'stats'), volume: number, target: number }),
  fc.record({ kind: kind('snapshot'), snapshot: number, volume: number }),
  fc.record({ kind: kind('unsnapshot'), snapshot: number }),
  fc.record({
    kind: kind('group'),
    group: number,
    volumes: fc.uniqueArray(number, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ kind: kind('ungroup'), group: number }),
);

/** As a pod comes; random calls alone hardly ever get that far. */
export const life: fc.Arbitrary<readonly Operation[]> = fc
  .record({ volume: number, target: number, type, mode: fc.constant('SINGLE_NODE_MULTI_WRITER' as const) })
  .map(({ volume, target, type: what, mode }) => [
    { kind: 'create', volume, bytes: 64n * MiB, type: what },
    { kind: 'stage', volume, flags: [] },
    { kind: 'publish', volume, target, readonly: false, mode },
  ]);

/** A call that has something to do when volumes 0 and 1 are there and staged, as they are after `lifeOfTwo`. */
export const fruitfulOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.constantFrom<Operation>(
    { kind: 'expand', volume: 0, bytes: 96n * MiB },
    { kind: 'expand', volume: 1, bytes: 96n * MiB },
    { kind: 'publish', volume: 0, target: 2, readonly: false, mode: 'SINGLE_NODE_MULTI_WRITER' },
    { kind: 'publish', volume: 1, target: 2, readonly: true, mode: 'SINGLE_NODE_MULTI_WRITER' },
    { kind: 'unpublish', volume: 0, target: 0 },
    { kind: 'unstage', volume: 1 },
  ),
  fc.record({ kind: kind('snapshot'), snapshot: number, volume: fc.nat(1) }),
  fc.record({ kind: kind('unsnapshot'), snapshot: number }),
  fc.record({
    kind: kind('create'),
    volume: fc.constant(2),
    bytes,
    type: fc.constant('ext4' as const),
    source: fc.constantFrom(
      { kind: 'volume' as const, number: 0 },
      { kind: 'snapshot' as const, number: 0 },
      { kind: 'snapshot' as const, number: 1 },
    ),
  }),
  fc.record({ kind: kind('group'), group: number, volumes: fc.constantFrom([0], [1, 0]) }),
  fc.record({ kind: kind('ungroup'), group: number }),
  fc.record({ kind: kind('delete'), volume: fc.constant(2) }),
);

export const lifeOfTwo: readonly Operation[] = [0, 1].flatMap((volume): readonly Operation[] => [
  { kind: 'create', volume, bytes: 64n * MiB, type: 'ext4' },
  { kind: 'stage', volume, flags: [] },
  { kind: 'publish', volume, target: volume, readonly: false, mode: 'SINGLE_NODE_MULTI_WRITER' },
]);

/** Two or three calls, or one twice. */
export const severalOperations: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  anyOperation.map((one) => [one, one]),
  fc.array(anyOperation, { minLength: 2, maxLength: 3 }),
);
