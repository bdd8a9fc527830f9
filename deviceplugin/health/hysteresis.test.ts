import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judge, unprobed } from './hysteresis.ts';
import type { Verdict } from './hysteresis.ts';

const rule = { failures: 2, successes: 3 };

/** The verdicts after each probe, a second apart: `+` succeeded, `-` failed. */
function row(probes: string, from: Verdict = unprobed, start = 0): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const [index, sign] of Array.from(probes).entries())
    verdicts.push(
      judge(verdicts.at(-1) ?? from, sign === '+' ? undefined : 'does not open', rule, start + index * 1_000),
    );
  return verdicts;
}

const signs = (verdicts: readonly Verdict[]): string => verdicts.map(({ healthy }) => (healthy ? '+' : '-')).join('');

test.each([
  ['+', '+'],
  ['-', '-'],
  ['+-', '++'],
  ['+--', '++-'],
  ['+-+-+-', '++++++'],
  ['+--++', '++---'],
  ['+--+++', '++---+'],
  ['+--++-+++', '++------+'],
  ['-++', '---'],
  ['-+++', '---+'],
])('probes %s give the verdicts %s', (probes, expected) => {
  expect(signs(row(probes))).toBe(expected);
});

test('a unit says why, also before its first probe', () => {
  expect(unprobed.reason).toBe('was not probed yet');
  expect(row('+--').at(-1)).toMatchObject({ healthy: false, reason: 'does not open' });
});

test('one that changes all the time is held unhealthy for a minute, and comes back afterwards', () => {
  const once = { failures: 1, successes: 1 };
  let verdict = judge(unprobed, undefined, once, 0);
  let now = 0;
  while (verdict.heldUntil === 0)
    verdict = judge(verdict, verdict.healthy ? 'is off' : undefined, once, (now += 1_000));
  expect(verdict.healthy).toBe(false);
  expect(judge(verdict, undefined, once, now + 59_000).healthy).toBe(false);
  expect(judge(verdict, undefined, once, now + 60_000).healthy).toBe(true);
});

test('whatever happened, enough good probes over a while lead back to healthy', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (probes) => {
      const history = row(probes.map((good) => (good ? '+' : '-')).join('') || '+');
      const after = row('+'.repeat(80), history.at(-1), 100_000);
      expect(after.at(-1)?.healthy).toBe(true);
    }),
  );
});

test('a single contradicting probe never changes a verdict', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), (probes) => {
      const verdicts = row(probes.map((good) => (good ? '+' : '-')).join(''));
      for (const [index, verdict] of verdicts.entries()) {
        const before = verdicts[index - 1];
        if (before !== undefined && before.healthy !== verdict.healthy) expect(probes[index - 1]).toBe(probes[index]);
      }
    }),
  );
});
