import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesWildcards, parseWildcards } from './wildcards.ts';

test.each([
  ['0001*', '0001', true],
  ['0001*', '00012', true],
  ['0001*', 'x0001', false],
  ['usb:v0403*', 'usb:v0403p6001/x', true],
  ['*', 'a/b', true],
  ['*', '', true],
  ['*', '.hidden', true],
  ['?', '😀', true],
  ['a[!b]c', 'axc', true],
  ['a[!b]c', 'abc', false],
  ['[0-9a-f]?', 'f0', true],
  ['plain', 'plain', true],
  ['plain', 'plainer', false],
  ['a[*]', 'a*', true],
  ['a[*]', 'ab', false],
])('%s on %s is %j', (pattern, text, matches) => {
  expect(matchesWildcards(parseWildcards(pattern) ?? '', text)).toBe(matches);
});

test.each(['a[', 'a]', '[]', '[!]', '[a'])('%s is no pattern', (pattern) => {
  expect(parseWildcards(pattern)).toBeUndefined();
});

test('a pattern means what the regular expression of it means, for any text', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '😀', '-') });
  fc.assert(
    fc.property(fc.stringMatching(/^[ab?*]{0,6}$/), text, (pattern, candidate) => {
      const model = new RegExp(`^${pattern.replaceAll('?', '.').replaceAll('*', '.*')}$`, 'su');
      expect(matchesWildcards(parseWildcards(pattern) ?? '', candidate)).toBe(model.test(candidate));
    }),
  );
});

test('a pattern made to be slow is not', () => {
  const pattern = parseWildcards(`${'*a'.repeat(120)}*b`) ?? '';
  expect(matchesWildcards(pattern, 'a'.repeat(4_096))).toBe(false);
});
