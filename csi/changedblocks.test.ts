import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocatedRuns, changedRuns } from './changedblocks.ts';
import type { Extent } from './engine.ts';

/** Extents of a file of blocks: the place of each block on disk, or undefined in a hole. */
function extentsOf(blocks: readonly (bigint | undefined)[]): Extent[] {
  return blocks.flatMap((physical, i) =>
    physical === undefined ? [] : { logical: BigInt(i), physical, length: 1n, unwritten: false },
  );
}

const file = fc.array(fc.option(fc.bigInt(0n, 5n), { nil: undefined }), { minLength: 12, maxLength: 12 });

function offsets(runs: readonly { offset: bigint; length: bigint }[]): bigint[] {
  return runs.flatMap(({ offset, length }) => Array.from({ length: Number(length) }, (_, i) => offset + BigInt(i)));
}

test('what differs is what lies elsewhere, block by block', () => {
  fc.assert(
    fc.property(file, file, fc.bigInt(0n, 11n), (before, after, from) => {
      const expected = after.flatMap((place, i) => (BigInt(i) >= from && place !== before[i] ? BigInt(i) : []));
      expect(offsets(changedRuns(extentsOf(before), extentsOf(after), from))).toEqual(expected);
    }),
  );
});

test('what a snapshot has is what was written, in joined runs', () => {
  const extents = extentsOf([1n, 2n, undefined, 9n]);
  expect(allocatedRuns(extents, 0n)).toEqual([
    { offset: 0n, length: 2n },
    { offset: 3n, length: 1n },
  ]);
  expect(allocatedRuns(extents, 1n)).toEqual([
    { offset: 1n, length: 1n },
    { offset: 3n, length: 1n },
  ]);
  expect(allocatedRuns([{ logical: 0n, physical: 0n, length: 8n, unwritten: true }], 0n)).toEqual([]);
});
