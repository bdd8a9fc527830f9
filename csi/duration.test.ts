import { expect, test } from 'vitest';
import { parseDuration } from './duration.ts';

test.each([
  ['0', 0],
  ['0s', 0],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  ['1h30m', 5_400_000],
  ['1d2h3m4s', 93_784_000],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '24', '-1h', '1.5h', '1h 30m', '30m1h', '24H', '1w', '99999999h', '1h\n'])('%j is none', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
