import { expect, test } from 'vitest';
import { parseNetwork } from './addresses.ts';
import { cutSpans, isWithin, parseSpan } from './exclusions.ts';

test.each([
  ['10.1.0.9', 0x0a010009n, 0x0a010009n],
  ['10.1.0.16/28', 0x0a010010n, 0x0a01001fn],
  ['10.1.0.20-10.1.0.29', 0x0a010014n, 0x0a01001dn],
  ['fd00::2-fd00::4', (0xfd00n << 112n) + 2n, (0xfd00n << 112n) + 4n],
])('%s', (text, first, last) => {
  expect(parseSpan(text)).toMatchObject({ first, last });
});

test.each(['', '-', '10.1.0.9-', '10.1.0.9-10.1.0.8', '10.1.0.9-fd00::1', '10.1.0.1-10.1.0.2-10.1.0.3', '10.1.0.9/28'])(
  '%j is none',
  (text) => {
    expect(parseSpan(text)).toBeUndefined();
  },
);

test('what overlaps or touches becomes one, and what is outside is left out', () => {
  const texts = ['10.1.0.8-10.1.0.9', '10.1.0.0-10.1.0.3', '10.1.0.4', '10.1.0.2', '10.2.0.0/24', 'fd00::1'];
  const spans = texts.map((text) => parseSpan(text)!);
  const within = { family: 4, first: 0x0a010002n, last: 0x0a010008n } as const;
  expect(cutSpans(spans, within).map(({ first, last }) => [first, last])).toEqual([
    [0x0a010002n, 0x0a010004n],
    [0x0a010008n, 0x0a010008n],
  ]);
});

test('a span that reaches out of a network is not within it', () => {
  const network = parseNetwork('10.1.0.0/24')!;
  expect(isWithin(parseSpan('10.1.0.250-10.1.0.255')!, network)).toBe(true);
  expect(isWithin(parseSpan('10.1.0.250-10.1.1.0')!, network)).toBe(false);
  expect(isWithin(parseSpan('::/120')!, network)).toBe(false);
});
