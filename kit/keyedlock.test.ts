import { expect, test } from 'vitest';
import { KeyedLock } from './keyedlock.ts';

test('operations on one key run one after another in the order they were asked', async () => {
  const lock = new KeyedLock();
  const seen: string[] = [];
  const first = Promise.withResolvers<undefined>();
  const a = lock.run('v', async () => {
    seen.push('a starts');
    await first.promise;
    seen.push('a ends');
  });
  const b = lock.run('v', () => Promise.resolve(seen.push('b')));
  const other = lock.run('w', () => Promise.resolve(seen.push('w')));
  await other;
  first.resolve(undefined);
  await Promise.all([a, b]);
  expect(seen).toEqual(['a starts', 'w', 'a ends', 'b']);
});

test('a failed operation frees its key and does not fail the next', async () => {
  const lock = new KeyedLock();
  await expect(lock.run('v', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await expect(lock.run('v', () => Promise.resolve(1))).resolves.toBe(1);
  expect(lock.busy('v')).toBe(false);
});

test('tryRun refuses while the key is taken', async () => {
  const lock = new KeyedLock();
  const gate = Promise.withResolvers<undefined>();
  const a = lock.tryRun('v', 'volume v', () => gate.promise);
  await expect(lock.tryRun('v', 'volume v', () => Promise.resolve())).rejects.toMatchObject({ code: 'BUSY' });
  gate.resolve(undefined);
  await a;
});
