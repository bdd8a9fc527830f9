import { expect, test } from 'vitest';
import { words } from './btrfsioctl.ts';
import { groupOfLevel, parseGroups, parseStatus } from './btrfsquota.ts';

test('a quota group is what its counts and its limit say', () => {
  const info = { object: 0n, type: 242, data: words(1n, 4096n, 4096n, 1024n, 1024n) };
  const limit = (flags: bigint): Buffer => words(flags, 8192n, 0n, 0n, 0n);
  const groups = parseGroups([
    { ...info, offset: 256n },
    { ...info, offset: 257n },
    { object: 0n, type: 244, offset: 256n, data: limit(1n) },
    { object: 0n, type: 244, offset: 257n, data: limit(0n) },
  ]);
  expect([...groups]).toEqual([
    [256n, { referenced: 4096n, exclusive: 1024n, limit: 8192n }],
    [257n, { referenced: 4096n, exclusive: 1024n, limit: undefined }],
  ]);
  expect(groupOfLevel(1n, 256n)).toBe(281474976710912n);
});

test.each([
  ['no item', undefined, { mode: 'off', inconsistent: false, scanning: false }],
  ['an item that says off', 0n, { mode: 'off', inconsistent: false, scanning: false }],
  ['full quotas', 1n, { mode: 'full', inconsistent: false, scanning: false }],
  ['a scan that runs', 7n, { mode: 'full', inconsistent: true, scanning: true }],
  ['simple quotas', 9n, { mode: 'simple', inconsistent: false, scanning: false }],
] as const)('quotas by %s', (_, flags, status) => {
  const items = flags === undefined ? [] : [{ object: 0n, type: 240, offset: 0n, data: words(1n, 7n, flags, 0n) }];
  expect(parseStatus(items)).toEqual(status);
});
