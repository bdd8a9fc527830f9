import { describe, expect, test } from 'vitest';
import { figureOf, percentile } from './stats.ts';

test.each([
  [[5], 50, 5],
  [[5], 99, 5],
  [[3, 1, 2], 50, 2],
  [[4, 3, 2, 1], 50, 2],
  [[1, 2, 3, 4], 99, 4],
  [Array.from({ length: 200 }, (_, index) => 200 - index), 99, 198],
  [Array.from({ length: 100 }, (_, index) => index + 1), 0, 1],
])('of %j percentile %i is %i', (samples, percent, expected) => {
  expect(percentile(samples, percent)).toBe(expected);
});

test('there is no percentile of nothing', () => {
  expect(() => percentile([], 50)).toThrow('needs samples');
});

describe('a figure', () => {
  const peer = { name: 'ptp', samples: [10, 12, 11] };

  test.each([
    [[8, 8.8, 9], 0.8, 0.8, true],
    [[8, 8.81, 9], 0.8, 0.801, false],
    [[8, 8.8, 9], undefined, 0.8, null],
  ])('of %j beside 11 ms with limit %s has ratio %f and ok %s', (ours, limit, ratio, ok) => {
    const figure = figureOf({ bench: 'x', ours, peer, ...(limit === undefined ? {} : { limit }) });
    expect(figure).toMatchObject({ n: 3, peer: 'ptp', peer_n: 3, peer_p50_ms: 11, peer_p99_ms: 12, ratio, ok });
  });

  test('is judged by the exact ratio, not by the rounded one', () => {
    expect(figureOf({ bench: 'x', ours: [8.0004], peer: { name: 'p', samples: [10] }, limit: 0.8 }).ok).toBe(false);
  });

  test('without a peer says so and is neither good nor bad', () => {
    expect(figureOf({ bench: 'device.allocate', ours: [1.23456], limit: 0.8 })).toEqual({
      bench: 'device.allocate',
      n: 1,
      p50_ms: 1.235,
      p99_ms: 1.235,
      peer: null,
      peer_n: null,
      peer_p50_ms: null,
      peer_p99_ms: null,
      ratio: null,
      limit: 0.8,
      ok: null,
    });
  });
});
