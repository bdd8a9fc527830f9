import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadNodeConfig } from '../../agent/nodeconfig.ts';
import { exampleFile, referenceKeys } from './configuration.ts';

const keys = [...referenceKeys()].flatMap(([section, found]) => found.map((key) => ({ ...key, section })));

test.each(keys)('$section.$path has a meaning', ({ schema }) => {
  expect(schema.description).toMatch(/^[`A-Za-z].*\.$/);
});

test('the example is valid and shows every key', async () => {
  const text = await readFile(exampleFile, 'utf8');
  expect(loadNodeConfig(text, undefined)).toHaveProperty('config');
  const shown = pathsOf(parse(text), '');
  expect(keys.map(({ section, path }) => `${section}.${path}`).filter((path) => !shown.has(path))).toEqual([]);
});

/** Every key in a document: `storage.pools[].name`. */
function pathsOf(value: unknown, path: string): Set<string> {
  const found = new Set([path]);
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, inner] of Object.entries(value)) {
    const next = Array.isArray(value) ? `${path}[]` : path === '' ? key : `${path}.${key}`;
    for (const each of pathsOf(inner, next)) found.add(each);
  }
  return found;
}
