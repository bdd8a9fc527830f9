import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressBytes, addressText, parseAddressBytes } from './ipaddress.ts';

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['FD00::0001', 'fd00::1'],
  ['fd00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
  ['fd00:0:1:1:1:1:1:1', 'fd00:0:1:1:1:1:1:1'],
  ['fd00::', 'fd00::'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
])('%s is written %s', (text, canonical) => {
  expect(addressText(addressBytes(text))).toBe(canonical);
});

test.each(['', '10.0.0', '10.0.0.256', 'fe80::1%eth0', 'fd00::1::2', 'fd00::/64', 'x'])('%j is no address', (text) => {
  expect(parseAddressBytes(text)).toBeUndefined();
  expect(() => addressBytes(text)).toThrow('is not an IP address');
});

test('all bytes survive being written and read', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      expect([...addressBytes(addressText(given) ?? '')]).toEqual([...given]);
    }),
  );
});
