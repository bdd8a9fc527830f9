import { expect, test } from 'vitest';
import { formatBytes, parseQuantity } from './quantity.ts';

test.each([
  ['1048576', 1_048_576n],
  ['64Mi', 67_108_864n],
  ['10G', 10_000_000_000n],
  ['8Pi', 8n << 50n],
  ['1.5Gi', undefined],
  ['10GB', undefined],
  ['-1', undefined],
  ['', undefined],
  ['1e3', undefined],
])('%j is %s bytes', (text, bytes) => {
  expect(parseQuantity(text)).toBe(bytes);
});

test.each([
  [0n, '0 B'],
  [1023n, '1023 B'],
  [1n << 30n, '1 GiB'],
  [3_435_973_836n, '3.1 GiB'],
  [(1n << 40n) - 1n, '1023.9 GiB'],
])('%s bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
