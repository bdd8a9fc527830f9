import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comparePaths } from './naturalorder.ts';

test('numbers in names count', () => {
  const paths = ['/dev/ttyUSB10', '/dev/ttyUSB2', '/dev/ttyUSB', '/dev/sda', '/dev/ttyUSB02', '/dev/bus/usb/001/002'];
  expect(paths.sort(comparePaths)).toEqual([
    '/dev/bus/usb/001/002',
    '/dev/sda',
    '/dev/ttyUSB',
    '/dev/ttyUSB02',
    '/dev/ttyUSB2',
    '/dev/ttyUSB10',
  ]);
});

test('it is an order of all texts, in which only the same are equal', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '0', '1', '9', '-') });
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      expect(Math.sign(comparePaths(a, b))).toBe(-Math.sign(comparePaths(b, a)) || 0);
      expect(comparePaths(a, b) === 0).toBe(a === b);
      if (comparePaths(a, b) < 0 && comparePaths(b, c) < 0) expect(comparePaths(a, c)).toBeLessThan(0);
    }),
  );
});
