import { expect, test } from 'vitest';
import { keepOnce } from './trashkeeping.ts';

test.each([
  [0n, []],
  [5n, [5n]],
  ['the disk does not answer', []],
])('what others took is given back from the trash: %s', async (lacking, expected) => {
  const reclaimed: bigint[] = [];
  const trash = {
    purgeExpired: () => Promise.resolve(),
    reclaim: (bytes: bigint) => Promise.resolve(reclaimed.push(bytes) > 0),
  };
  const ledger = {
    lacking: () => (typeof lacking === 'bigint' ? Promise.resolve(lacking) : Promise.reject(new Error(lacking))),
  };
  await keepOnce({ trash, ledger });
  expect(reclaimed).toEqual(expected);
});
