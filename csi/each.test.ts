import { expect, test } from 'vitest';
import { forEachDespite } from './each.ts';

test('one that fails keeps none of the others, and is told of in the end', async () => {
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    if (item % 2 === 0) throw new Error(`not ${item}`);
    done.push(await Promise.resolve(item));
  };
  await expect(forEachDespite([1, 2, 3, 4, 5], work)).rejects.toThrow('not 2');
  expect(done).toEqual([1, 3, 5]);
});
