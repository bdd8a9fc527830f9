import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BerthError, asBerthError, errnoOf, errorCodes, messageOf } from './errors.ts';

test('docs/errors.md explains every code and no other', () => {
  const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([A-Z_]+)`\s+\|/gm)].map((match) => match[1]);
  expect(documented.sort()).toEqual(Object.keys(errorCodes).sort());
});

test('what is thrown keeps its message and its code', () => {
  const error = new BerthError('BUSY', 'volume v is busy');
  expect(asBerthError(error)).toBe(error);
  expect(asBerthError('text')).toMatchObject({ code: 'INTERNAL', message: 'text' });
  expect(messageOf(new Error('x'))).toBe('x');
});

test.each([
  [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
  [Object.assign(new Error('x'), { code: 'ERR_INVALID' }), undefined],
  ['ENOENT', undefined],
])('the errno name of %s is %s', (thrown, expected) => {
  expect(errnoOf(thrown)).toBe(expected);
});
