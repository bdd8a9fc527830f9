import { expect, test } from 'vitest';
import { parseFiemap } from './extents.ts';

/** struct fiemap with extents as [logical, physical, length, flags]. */
function answer(...extents: readonly (readonly [bigint, bigint, bigint, number])[]): Buffer {
  const bytes = Buffer.alloc(32 + 56 * extents.length);
  bytes.writeUInt32LE(extents.length, 20);
  extents.forEach(([logical, physical, length, flags], i) => {
    const at = 32 + 56 * i;
    bytes.writeBigUInt64LE(logical, at);
    bytes.writeBigUInt64LE(physical, at + 8);
    bytes.writeBigUInt64LE(length, at + 16);
    bytes.writeUInt32LE(flags, at + 40);
  });
  return bytes;
}

test('extents keep their order; the flag of the last one ends the rounds', () => {
  const big = 1n << 60n;
  const round = parseFiemap(answer([0n, 4096n, 8192n, 0x2000], [16384n, big, 4096n, 0x801]));
  expect(round).toEqual({
    extents: [
      { logical: 0n, physical: 4096n, length: 8192n, unwritten: false },
      { logical: 16384n, physical: big, length: 4096n, unwritten: true },
    ],
    last: true,
  });
  expect(parseFiemap(answer([0n, 4096n, 8192n, 0])).last).toBe(false);
});

test('no extents are the end', () => {
  expect(parseFiemap(answer())).toEqual({ extents: [], last: true });
});

test.each([
  ['unknown', 0x2],
  ['not yet chosen', 0x4],
  ['encoded', 0x8],
  ['inline', 0x200],
])('a place that is %s compares with nothing, so it is refused', (_, flag) => {
  expect(() => parseFiemap(answer([0n, 0n, 4096n, flag]))).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
});
