import { expect, test } from 'vitest';
import { bindOptions } from './bindflags.ts';

test('a bind mount has nosuid and nodev whatever is asked for', () => {
  expect(bindOptions('subvolume', ['noatime'])).toEqual(['noatime', 'nosuid', 'nodev']);
});

test('flags that only a filesystem can have are refused by name', () => {
  expect(() => bindOptions('tmpfs', ['noexec', 'sync', 'context="a:b:c:s0"'])).toThrow(
    /a tmpfs .* cannot have the mount flags sync,context="a:b:c:s0"; take them out of mountOptions/,
  );
});
