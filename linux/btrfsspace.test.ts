import { expect, test } from 'vitest';
import { words } from './btrfsioctl.ts';
import { parseCopies } from './btrfsspace.ts';

const [data, system, metadata, raid1, dup, raid6, raid1c3] = [1n, 2n, 4n, 0x10n, 0x20n, 0x100n, 0x200n];

/** An answer: slots, how many are used, and of each its flags, size and used bytes. */
function answer(...flags: bigint[]): Buffer {
  return words(64n, BigInt(flags.length), ...flags.flatMap((each) => [each, 4096n, 0n]));
}

test.each([
  ['one disk, as mkfs makes it', [data, system | dup, metadata | dup], { data: 1, metadata: 2 }],
  ['one copy of everything', [data, system, metadata], { data: 1, metadata: 1 }],
  ['two disks', [data | raid1, metadata | raid1], { data: 2, metadata: 2 }],
  ['parity and three copies', [data | raid6, metadata | raid1c3], { data: 1, metadata: 3 }],
  ['data and metadata in one', [data | metadata | dup], { data: 2, metadata: 2 }],
  ['half-way from one profile to another', [data, metadata, metadata | dup], { data: 1, metadata: 2 }],
  ['nothing yet', [], { data: 1, metadata: 1 }],
])('copies kept: %s', (_, flags, copies) => {
  expect(parseCopies(answer(...flags))).toEqual(copies);
});

test('a count beyond the answer is no surprise', () => {
  expect(parseCopies(words(64n, 1000n, data, 0n, 0n))).toEqual({ data: 1, metadata: 1 });
});
