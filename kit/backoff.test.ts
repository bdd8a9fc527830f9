import { expect, test } from 'vitest';
import { delayOf, pause } from './backoff.ts';

test.each([
  [0, 0],
  [1, 100],
  [2, 400],
  [9, 400],
])('attempt %i waits %i ms without jitter', (attempt, ms) => {
  expect(delayOf([0, 100, 400], attempt, () => 0.5)).toBe(ms);
});

test('jitter stays within a fifth', () => {
  expect(delayOf([1000], 0, () => 0)).toBe(800);
  expect(delayOf([1000], 0, () => 1)).toBe(1200);
});

test('a wait ends at once when it is given up', async () => {
  const stop = new AbortController();
  const waiting = pause(3_600_000, stop.signal);
  stop.abort();
  await expect(waiting).resolves.toBe(false);
  await expect(pause(0, stop.signal)).resolves.toBe(false);
});
