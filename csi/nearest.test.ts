import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

test.each([
  ['pool', 'pool'],
  ['Pool', 'pool'],
  ['provisionning', 'provisioning'],
  ['provision', 'provisioning'],
  ['pol', 'pool'],
  ['x'.repeat(5000), 'pool'],
  ['', 'pool'],
])('%#: of what is known the nearest is named', (text, word) => {
  expect(nearest(text, ['pool', 'provisioning'])).toBe(word);
});
