import { expect, test } from 'vitest';
import { mapBounded } from './bounded.ts';

test('no more than so many at a time, and the results in order', async () => {
  let running = 0;
  let most = 0;
  const results = await mapBounded([5, 4, 3, 2, 1], 2, async (number) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < number; turn++) await Promise.resolve();
    running--;
    return number * 10;
  });
  expect(results).toEqual([50, 40, 30, 20, 10]);
  expect(most).toBe(2);
});

test('nothing for nothing', async () => {
  expect(await mapBounded([], 16, () => Promise.reject(new Error('asked')))).toEqual([]);
});
