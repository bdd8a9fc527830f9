import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readAttribute } from './attributefile.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-attribute-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('those that wait are read also when the files of others have gone meanwhile', async () => {
  const names = ['a', 'b', 'c', 'gone1', 'gone2', 'gone3', 'gone4', 'd', 'e'];
  for (const name of names.filter((each) => !each.startsWith('gone')))
    await writeFile(join(folder, name), `${name} is here\n`);
  const values = await Promise.all(names.map((name) => readAttribute(join(folder, name))));
  const gone = undefined;
  expect(values).toEqual(['a is here', 'b is here', 'c is here', gone, gone, gone, gone, 'd is here', 'e is here']);
});
