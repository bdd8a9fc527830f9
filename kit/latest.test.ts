import { expect, test } from 'vitest';
import { Latest } from './latest.ts';

test('a listener hears of every change until its signal fires', () => {
  const latest = new Latest(1);
  const seen: number[] = [];
  const end = new AbortController();
  latest.onChange(() => seen.push(latest.value), end.signal);
  latest.set(2);
  latest.set(3);
  end.abort();
  latest.set(4);
  latest.onChange(() => seen.push(latest.value), end.signal);
  latest.set(5);
  expect(seen).toEqual([2, 3]);
});

test('who waits for a change gets the newest value, once', async () => {
  const latest = new Latest('a');
  const { changed } = latest;
  latest.set('b');
  latest.set('c');
  await changed;
  expect(latest.value).toBe('c');
});
