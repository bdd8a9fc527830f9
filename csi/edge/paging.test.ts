import { expect, test } from 'vitest';
import { newObjectId } from '../objectid.ts';
import { pageOf } from './paging.ts';

const all = [3, 1, 2].map((time) => ({ id: newObjectId('volume', '0a1b2c3d', time) }));
const sorted = [...all].sort((a, b) => (a.id < b.id ? -1 : 1));

test('pages follow each other, also when the entry before was deleted meanwhile', () => {
  const first = pageOf(all, { kind: 'volume', max: 2, token: '' });
  expect(first.entries).toEqual(sorted.slice(0, 2));
  const left = all.filter(({ id }) => id !== first.next_token);
  expect(pageOf(left, { kind: 'volume', max: 2, token: first.next_token })).toEqual({
    entries: sorted.slice(2),
    next_token: '',
  });
  expect(pageOf(all, { kind: 'volume', max: 0, token: '' })).toEqual({ entries: sorted, next_token: '' });
});

test('a token that never was one is aborted, a negative number refused', () => {
  expect(() => pageOf(all, { kind: 'volume', max: 0, token: 'invalid-token' })).toThrow(/list from the start/);
  expect(() => pageOf(all, { kind: 'volume', max: -1, token: '' })).toThrow(/negative/);
});
