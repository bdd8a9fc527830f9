import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Bearers, bearerLimits } from './bearers.ts';
import type { BearerLimits } from './bearers.ts';
import { createReview } from './review.ts';
import { TestReviewer } from './testreviewer.ts';

let api: TestReviewer;
let now = 0;
let logged: Record<string, unknown>[] = [];

beforeEach(async () => {
  api = new TestReviewer();
  await api.listen();
  api.tokens.set('good', 'prometheus').set('other', 'somebody');
  api.readers.add('prometheus');
  now = 1_000_000;
  logged = [];
});
afterEach(() => {
  api.close();
});

function bearers(limits: Partial<BearerLimits> = {}): Bearers {
  const destination = { write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>) };
  const options = { log: pino({}, destination), limits: { ...bearerLimits, ...limits }, now: () => now };
  return new Bearers(createReview(api.client), options);
}

const statusOf = async (of: Bearers, token: string): Promise<number> => {
  const verdict = await of.verdictOf(`Bearer ${token}`);
  return verdict.allowed ? 200 : verdict.status;
};

test.each([
  [undefined, 401, /send a token/],
  ['', 401, /send a token/],
  ['Basic Z29vZA==', 401, /send a token/],
  ['Bearer', 401, /send a token/],
  ['Bearer good good', 401, /send a token/],
  ['Bearer g\u00f6\u00f6d', 401, /send a token/],
  [`Bearer ${'a'.repeat(8_193)}`, 401, /send a token/],
  ['Bearer unknown', 401, /another cluster or audience, or has expired/],
  ['Bearer other', 403, /"somebody" may not get \/metrics; bind it to the ClusterRole berth-metrics-reader/],
] as const)('%s gets %i', async (header, status, reason) => {
  const verdict = await bearers().verdictOf(header);
  expect(verdict).toMatchObject({ allowed: false, status });
  expect(verdict.allowed ? '' : verdict.reason).toMatch(reason);
  // What has not the form of a token is nobody's to judge.
  expect(api.asked.length > 0).toBe(!reason.source.startsWith('send'));
});

test('a user whose name would move the terminal of who reads the refusal is quoted', async () => {
  api.tokens.set('evil', '\u001b[2J\u202e');
  const verdict = await bearers().verdictOf('Bearer evil');
  expect(verdict.allowed ? '' : verdict.reason).toContain('"\\u001b[2J\\u202e" may not');
});

test('one answer is good for a minute, and a right that is taken away ends with it', async () => {
  const some = bearers();
  expect(await statusOf(some, 'good')).toBe(200);
  api.readers.clear();
  now += 59_999;
  expect(await statusOf(some, 'good')).toBe(200);
  expect(api.asked).toEqual(['tokenreviews', 'subjectaccessreviews']);
  now += 1;
  expect(await statusOf(some, 'good')).toBe(403);
});

test('a refusal is good for ten seconds, so that a right that is given works soon', async () => {
  const some = bearers();
  expect(await statusOf(some, 'other')).toBe(403);
  api.readers.add('somebody');
  now += 9_999;
  expect(await statusOf(some, 'other')).toBe(403);
  now += 1;
  expect(await statusOf(some, 'other')).toBe(200);
});

test('a hundred requests with a token are one question', async () => {
  const some = bearers();
  const held = Promise.withResolvers<undefined>();
  api.hold = held.promise;
  const all = Promise.all(Array.from({ length: 100 }, () => statusOf(some, 'good')));
  held.resolve(undefined);
  expect(new Set(await all)).toEqual(new Set([200]));
  expect(api.asked).toEqual(['tokenreviews', 'subjectaccessreviews']);
});

test.each([
  [
    'is away',
    () => {
      api.close();
    },
    /cannot be reached/,
  ],
  [
    'is in trouble',
    () => {
      api.refusal = 500;
    },
    /refused/,
  ],
  [
    'lets the agent not ask',
    () => {
      api.refusal = 403;
    },
    /not allowed.*ClusterRole/,
  ],
] as const)(
  'while the API server %s new tokens get 503 and remembered ones go on until their time',
  async (_, fail, reason) => {
    const some = bearers();
    expect(await statusOf(some, 'good')).toBe(200);
    fail();
    expect(await statusOf(some, 'good')).toBe(200);
    expect(await statusOf(some, 'other')).toBe(503);
    expect(await statusOf(some, 'other')).toBe(503);
    now += 60_000;
    expect(await statusOf(some, 'good')).toBe(503);
    // Once per cause, whoever asks how often.
    expect(logged).toMatchObject([{ event: 'metrics.review_failed' }]);
    expect(logged[0]?.['msg']).toMatch(reason);
  },
);

test('an API server that says nothing costs a bounded time', async () => {
  const held = Promise.withResolvers<undefined>();
  api.hold = held.promise;
  expect(await statusOf(bearers({ answer: 1 }), 'good')).toBe(503);
  held.resolve(undefined);
});

test('made-up tokens cost the API server ten questions a second, and do not stand in the way of who was allowed before', async () => {
  const some = bearers();
  expect(await statusOf(some, 'good')).toBe(200);
  now += 61_000;
  api.asked.length = 0;
  const flood = await Promise.all(Array.from({ length: 1_000 }, (_, n) => statusOf(some, `made-up-${n}`)));
  expect(flood.filter((status) => status === 401)).toHaveLength(10);
  expect(flood.filter((status) => status === 429)).toHaveLength(990);
  expect(api.asked).toHaveLength(10);
  expect(await statusOf(some, 'good')).toBe(200);
  now += 1_000;
  expect(await statusOf(some, 'made-up-999')).toBe(401);
});

test('no more tokens are remembered than there is room for', async () => {
  const some = bearers({ mostRefused: 2, strangersPerSecond: 100 });
  for (const token of ['a', 'b', 'c']) expect(await statusOf(some, token)).toBe(401);
  api.asked.length = 0;
  expect(await statusOf(some, 'c')).toBe(401);
  expect(await statusOf(some, 'b')).toBe(401);
  expect(api.asked).toEqual([]);
  expect(await statusOf(some, 'a')).toBe(401);
  expect(api.asked).toEqual(['tokenreviews']);
});
