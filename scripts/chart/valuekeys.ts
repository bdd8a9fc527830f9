/** The keys of values.yaml with what their comments say, beside their schema. */
import { isMap, isScalar, parseDocument } from 'yaml';
import type { Pair, YAMLMap } from 'yaml';
import type { Schema } from './schema.ts';

export interface ValueKey {
  /** `image.tag`. */
  readonly path: string;
  /** Undefined: the schema has no such key. */
  readonly schema: Schema | undefined;
  /** Undefined: values.yaml has no such key. */
  readonly preset: { readonly value: unknown } | undefined;
  /** What the comment above it says; of one without, what that of the map it is in says, which is marked by `inherited`. */
  readonly meaning: string;
  readonly inherited: boolean;
  /** Whether its keys follow. What the chart passes on as it is counts as one value. */
  readonly isGroup: boolean;
}

/** The keys of the values in their order, then those that only the schema has. */
export function valueKeys(text: string, schema: Schema): readonly ValueKey[] {
  const { contents } = parseDocument(text);
  return isMap(contents) ? [...keysOf(contents, schema, '', '')] : [];
}

function* keysOf(map: YAMLMap | undefined, schema: Schema, prefix: string, above: string): Generator<ValueKey> {
  const pairs = new Map((map?.items ?? []).map((pair) => [textOf(pair.key), pair]));
  const { properties = {} } = schema;
  for (const name of new Set([...pairs.keys(), ...Object.keys(properties)])) {
    const pair = pairs.get(name);
    const own = commentOf(pair, map);
    const below = properties[name];
    const path = `${prefix}${name}`;
    const isGroup = below?.properties !== undefined && !/(^|\.)resources$|^resources\./.test(path);
    const meaning = own === '' ? above : own;
    const preset = pair === undefined ? undefined : { value: valueOf(pair) };
    yield { path, schema: below, preset, meaning, inherited: own === '', isGroup };
    if (isGroup) yield* keysOf(isMap(pair?.value) ? pair.value : undefined, below, `${path}.`, meaning);
  }
}

/** The paragraph right above the key. The parser gives the comment before the first key of a map to the map. */
function commentOf(pair: Pair | undefined, map: YAMLMap | undefined): string {
  const before = isScalar(pair?.key) ? pair.key.commentBefore : undefined;
  const ofMap = pair !== undefined && pair === map?.items[0] ? map.commentBefore : undefined;
  const paragraphs = (before ?? ofMap ?? '').split(/\n *\n/);
  return (paragraphs.at(-1) ?? '').replaceAll(/\s*\n\s*/g, ' ').trim();
}

function valueOf({ value }: Pair): unknown {
  const node = value as { toJSON?: () => unknown } | null;
  return node?.toJSON?.() ?? value;
}

function textOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}
