import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unionBytes } from './families.ts';
import type { Extent } from './engine.ts';

const extent = (physical: bigint, length: bigint): Extent => ({ logical: 0n, physical, length, unwritten: false });

test('bytes that several share count once', () => {
  expect(unionBytes([])).toBe(0n);
  expect(unionBytes([[extent(0n, 10n)], [extent(0n, 10n)]])).toBe(10n);
  expect(unionBytes([[extent(0n, 10n), extent(20n, 5n)], [extent(5n, 17n)]])).toBe(25n);
});

test('the union is what counting every byte gives', () => {
  const run = fc.tuple(fc.nat(40), fc.nat(12)).map(([start, length]) => extent(BigInt(start), BigInt(length)));
  fc.assert(
    fc.property(fc.array(fc.array(run, { maxLength: 6 }), { maxLength: 4 }), (lists) => {
      const bytes = new Set<bigint>();
      for (const { physical, length } of lists.flat()) for (let i = 0n; i < length; i++) bytes.add(physical + i);
      expect(unionBytes(lists)).toBe(BigInt(bytes.size));
    }),
  );
});
