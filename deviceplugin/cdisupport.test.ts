import { expect, test } from 'vitest';
import { followCdiSupport } from './cdisupport.ts';

test('it is asked until there is an answer, and again later, for a node may get another runtime', async () => {
  const end = new AbortController();
  const answers = [new Error('no API server'), new Error('not yet'), true, new Error('away'), false];
  const told: boolean[] = [];
  await followCdiSupport(
    () => {
      const answer = answers.shift();
      if (answers.length === 0) end.abort();
      return typeof answer === 'boolean' ? Promise.resolve(answer) : Promise.reject(answer ?? new Error('none'));
    },
    (reads) => told.push(reads),
    end.signal,
    { unanswered: [0], answeredMs: 0 },
  );
  expect(told).toEqual([true, false]);
});
