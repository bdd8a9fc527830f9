import { expect, test } from 'vitest';
import { together } from './together.ts';

test('the first failure is thrown once nothing works any more', async () => {
  const slow = Promise.withResolvers<undefined>();
  let ended = false;
  const all = together([slow.promise, Promise.reject(new Error('one')), Promise.reject(new Error('two'))]);
  const end = all.catch((error: unknown) => {
    ended = true;
    return error;
  });
  await Promise.resolve();
  await Promise.resolve();
  expect(ended).toBe(false);
  slow.resolve(undefined);
  expect(await end).toMatchObject({ message: 'one' });
});
