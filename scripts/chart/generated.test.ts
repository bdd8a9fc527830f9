// The files in daemonset/ are what the chart gives, so that there is one place to change them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { Pair } from 'yaml';
import { ensurePrograms } from '../../cluster/build.ts';
import { chartFolder } from './helm.ts';
import { schemaOfValues } from './schema.ts';
import type { Schema } from './schema.ts';
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
  const keys = [...valuesOf(parseDocument(text).contents, schemaOfValues(), '')];

  test('has every key of the schema', () => {
    const optional = /(^|\.)resources\.(.+\.)?(requests|limits|claims)$/;
    const missing = keys.filter(({ path, pair }) => pair === undefined && !optional.test(path)).map(({ path }) => path);
    expect(missing).toEqual([]);
  });

  test('says what each value is for', () => {
    const silent = keys
      .filter(({ leaf, pair, commented }) => leaf && pair !== undefined && !commented)
      .map(({ path }) => path);
    expect(silent).toEqual([]);
  });
});

interface Value {
  readonly path: string;
  readonly pair: Pair | undefined;
  readonly leaf: boolean;
  /** It, or what it is a part of, has a comment. */
  readonly commented: boolean;
}

/** The keys of the values, or of the schema, whichever has more; what the chart only passes on is one value. */
function* valuesOf(node: unknown, schema: Schema, prefix: string, above = false): Generator<Value> {
  const pairs = new Map(isMap(node) ? node.items.map((pair) => [textOf(pair.key), pair]) : []);
  const properties = schema.properties ?? {};
  let first = true;
  for (const name of new Set([...Object.keys(properties), ...pairs.keys()])) {
    const pair = pairs.get(name);
    const path = `${prefix}${name}`;
    const below =
      properties[name]?.properties === undefined || path.startsWith('config.') ? undefined : properties[name];
    // The parser gives the comment before the first key of a map to the map.
    const before = isScalar(pair?.key) ? pair.key.commentBefore : undefined;
    const ofMap = first && isMap(node) ? node.commentBefore : undefined;
    const commented = above || (before ?? ofMap ?? '') !== '';
    first = false;
    yield { path, pair, leaf: below === undefined, commented };
    if (below !== undefined) yield* valuesOf(pair?.value, below, `${path}.`, commented);
  }
}

function textOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}
