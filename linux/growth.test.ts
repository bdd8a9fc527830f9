import { expect, test } from 'vitest';
import { ext4Growth } from './growth.ts';

const [block, group] = [4096n, 32768n * 4096n];

test.each([
  ['a device of the same size', group, group, undefined],
  ['a smaller device', group, group - block, undefined],
  ['a part of a block more', group, group + block - 1n, undefined],
  ['a whole group more', group, 2n * group, 2n * group],
  ['one block more within its last group', group / 2n, group / 2n + block, group / 2n + block],
  ['too little for a group', group, group + 2047n * block, undefined],
  ['enough for a group', group, group + 2048n * block, group + 2048n * block],
])('an ext4 on %s', (_, present, available, grown) => {
  expect(ext4Growth(present, available)).toBe(grown);
});
