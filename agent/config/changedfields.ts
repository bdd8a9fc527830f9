/** In which fields two checked configurations differ, in the words in which people find them. Pure. */
import { isDeepStrictEqual } from 'node:util';

/** A key, or the element of a list by its name. */
export type FieldStep = string | { readonly named: string };
export type FieldPath = readonly FieldStep[];

/**
 * The paths of what is another, was added or was taken away, as deep as it can be told, in the order of the keys. Elements with names
 * are compared by their names: of those that only changed places the list is named.
 */
export function changedFields(before: unknown, after: unknown, at: FieldPath = []): readonly FieldPath[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => changedFields(before[key], after[key], [...at, key]));
  }
  const [old, now] = [byName(before), byName(after)];
  if (old === undefined || now === undefined) return [at];
  const names = new Set([...old.keys(), ...now.keys()]);
  const below = [...names].flatMap((named) => changedFields(old.get(named), now.get(named), [...at, { named }]));
  // The same elements in another order: which comes first may decide.
  return below.length === 0 ? [at] : below;
}

/** `storage.pools[fast].capacity`. */
export function formatField(path: FieldPath): string {
  return path
    .map((step, at) => {
      if (typeof step !== 'string') return `[${step.named}]`;
      if (!/^[\w-]+$/.test(step)) return `[${JSON.stringify(step)}]`;
      return at === 0 ? step : `.${step}`;
    })
    .join('');
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A list whose elements have names, each its own. */
function byName(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (!Array.isArray(value)) return undefined;
  const elements = value as readonly unknown[];
  const named = elements.flatMap((each): [string, unknown][] =>
    isMap(each) && typeof each['name'] === 'string' ? [[each['name'], each]] : [],
  );
  const found = new Map(named);
  return found.size === elements.length ? found : undefined;
}
