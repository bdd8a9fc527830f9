import { expect, test } from 'vitest';
import { coalesce } from './coalesce.ts';

test('calls during a run lead to exactly one more run, and all wait for its end', async () => {
  const gates = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  let runs = 0;
  const look = coalesce(async () => {
    await gates[runs++]?.promise;
  });
  const first = look();
  const others = [look(), look(), look()];
  gates[0]!.resolve(undefined);
  gates[1]!.resolve(undefined);
  await Promise.all([first, ...others]);
  expect(runs).toBe(2);
  await look();
  expect(runs).toBe(3);
});

test('a failed run fails its callers and not the next', async () => {
  let runs = 0;
  const look = coalesce(() => (runs++ === 0 ? Promise.reject(new Error('broken')) : Promise.resolve()));
  await expect(look()).rejects.toThrow('broken');
  await expect(look()).resolves.toBeUndefined();
});
