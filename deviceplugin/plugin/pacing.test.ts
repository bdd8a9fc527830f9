import { expect, test } from 'vitest';
import { dueAt } from './pacing.ts';

test.each([
  ['a change after a quiet time goes out at once', { sentAt: 0, since: 500, changedAt: 500, urgent: false }, 500],
  ['one soon after a list waits for more', { sentAt: 500, since: 505, changedAt: 505, urgent: false }, 525],
  ['more changes move the time on', { sentAt: 500, since: 505, changedAt: 520, urgent: false }, 540],
  ['but not for ever', { sentAt: 500, since: 505, changedAt: 603, urgent: false }, 605],
  ['a lost device waits for nothing', { sentAt: 500, since: 501, changedAt: 501, urgent: true }, 501],
])('%s', (_what, pending, due) => {
  expect(dueAt(pending)).toBe(due);
});
