import { expect, test } from 'vitest';
import { mountFlags, splitMountOptions } from './mountoptions.ts';

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
