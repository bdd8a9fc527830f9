import { expect, test } from 'vitest';
import { bindAttributes, mountFlags, splitMountOptions } from './mountoptions.ts';

test.each([
  [[], 0, ''],
  [['ro', 'nosuid'], mountFlags.RDONLY | mountFlags.NOSUID, ''],
  [['ro', 'rw'], 0, ''],
  [['noatime', 'relatime'], mountFlags.RELATIME, ''],
  [['nouuid', 'noexec', 'logbsize=256k'], mountFlags.NOEXEC, 'nouuid,logbsize=256k'],
  [['defaults', 'constructor'], 0, 'constructor'],
])('%j gives flags %i and data %j', (options, flags, data) => {
  expect(splitMountOptions(options)).toEqual({ flags, data });
});

// The bits are those of mount_setattr(2).
test.each([
  [[], 0x0n, 0x0n, []],
  [['ro', 'nosuid', 'nodev', 'noexec'], 0xfn, 0x0n, []],
  [['ro', 'rw', 'noexec', 'exec'], 0x0n, 0x0n, []],
  [['noatime', 'strictatime'], 0x20n, 0x70n, []],
  [['noatime', 'relatime', 'nodiratime'], 0x80n, 0x70n, []],
  [['defaults', 'async'], 0x0n, 0x0n, []],
  [['nodev', 'sync', 'constructor'], 0x4n, 0x0n, ['sync', 'constructor']],
])('%j for a bind sets %i, clears %i and refuses %j', (options, set, clear, refused) => {
  expect(bindAttributes(options)).toEqual({ set, clear, refused });
});
