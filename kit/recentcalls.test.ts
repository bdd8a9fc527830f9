import { expect, test } from 'vitest';
import { RecentCalls } from './recentcalls.ts';

const call = (subject: string, code = 'OK') => ({ method: 'ADD', subject, code, seconds: 0.0012345 });

test('the newest call comes first, with its milliseconds to one digit', () => {
  const calls = new RecentCalls(3);
  calls.note(call('a'));
  calls.note(call('b', '11'));
  expect(calls.list()).toMatchObject([
    { method: 'ADD', subject: 'b', code: '11', ms: 1.2, times: 1 },
    { subject: 'a', code: 'OK' },
  ]);
  expect(calls.list()[0]!.at).toMatch(/^\d{4}-.*Z$/);
});

test.each([
  [0, []],
  [2, ['1', '0']],
  [3, ['2', '1', '0']],
  [4, ['3', '2', '1']],
  [7, ['6', '5', '4']],
])('of %i calls a ring of three keeps the last', (count, kept) => {
  const calls = new RecentCalls(3);
  for (let index = 0; index < count; index++) calls.note(call(String(index)));
  expect(calls.list().map(({ subject }) => subject)).toEqual(kept);
});

test('a failure that repeats takes one place; with another code it is another', () => {
  const calls = new RecentCalls(3);
  calls.note(call('first'));
  for (let index = 0; index < 50; index++) calls.note(call('again', 'UNAVAILABLE'));
  calls.note(call('again'));
  expect(calls.list().map(({ subject, code, times }) => [subject, code, times])).toEqual([
    ['again', 'OK', 1],
    ['again', 'UNAVAILABLE', 50],
    ['first', 'OK', 1],
  ]);
});

test('a long subject is cut', () => {
  const calls = new RecentCalls();
  calls.note(call('x'.repeat(10_000)));
  expect(calls.list()[0]!.subject).toHaveLength(161);
});
