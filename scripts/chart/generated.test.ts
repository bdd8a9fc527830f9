// The files in daemonset/ are what the chart gives, so that there is one place to change them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensurePrograms } from '../../cluster/build.ts';
import { chartFolder } from './helm.ts';
import { schemaOfValues } from './schema.ts';
import { valueKeys } from './valuekeys.ts';
import { generatedFiles } from './write.ts';

beforeAll(async () => {
  await ensurePrograms(['helm']);
}, 600_000);

test('every file that is made of the chart is what `npm run generate` writes', async () => {
  for await (const [path, text] of generatedFiles()) {
    const file = await readFile(join(chartFolder, '..', path), 'utf8');
    expect(file, `run \`npm run generate\` and commit daemonset/${path}`).toBe(text);
  }
});

describe('values.yaml', async () => {
  const text = await readFile(join(chartFolder, 'values.yaml'), 'utf8');
  const keys = valueKeys(text, schemaOfValues());

  test('has the keys of the schema and no others', () => {
    expect(keys.filter(({ preset }) => preset === undefined)).toEqual([]);
    expect(keys.filter(({ schema }) => schema === undefined)).toEqual([]);
  });

  test('says what each value is for, or the map that it is in does', () => {
    expect(keys.filter(({ isGroup, meaning }) => !isGroup && meaning === '').map(({ path }) => path)).toEqual([]);
  });
});
