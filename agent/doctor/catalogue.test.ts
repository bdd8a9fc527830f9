/** The list of probes as a whole. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue } from './catalogue.ts';

const ids = catalogue.flatMap(({ probes }) => probes.map(({ id }) => id));

test('every probe has an ID of its own, which begins with its group', () => {
  expect(new Set(ids).size).toBe(ids.length);
  for (const { name, probes } of catalogue)
    for (const { id } of probes) expect(id).toMatch(new RegExp(`^${name}\\.[a-z0-9-]+$`));
});

/** IDs that a text of tests breaks: the rows of its tables (`id: 'x'`), and what its titles end with (`…: x, y`). */
function brokenIn(text: string): readonly string[] {
  const rows = [...text.matchAll(/\bid: '([^']+)'/g)].map(([, id = '']) => id);
  const titles = [...text.matchAll(/\btest\(\s*['"`]([^\n]*)['"`], (?:async )?\(/g)];
  return [...rows, ...titles.flatMap(([, title = '']) => /: ([a-z0-9., -]+)$/.exec(title)?.[1]?.split(', ') ?? [])];
}

test('every probe is broken on a real kernel or a real node', async () => {
  const root = join(import.meta.dirname, '../../test');
  const broken = new Set<string>();
  for (const folder of ['kernel', 'faults', 'cluster'])
    for (const name of await readdir(join(root, folder)))
      if (/^(doctor|configreload).*\.test\.ts$/.test(name))
        for (const id of brokenIn(await readFile(join(root, folder, name), 'utf8'))) broken.add(id);
  expect(ids.filter((id) => !broken.has(id))).toEqual([]);
});
