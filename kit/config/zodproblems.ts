/** Turns what zod found wrong into problems that say what was expected, in the words of the configuration. */
import { z } from 'zod';
import type { ConfigPath, ConfigProblem } from './problem.ts';

type Issue = z.core.$ZodIssue;

/** Checks `value` against `schema`; either the parsed value or every problem, with paths beginning at `base`. */
export function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
  base: ConfigPath,
): { readonly value: T } | { readonly problems: readonly ConfigProblem[] } {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  return { problems: result.error.issues.flatMap((issue) => problemsOf(schema, issue, value, base)) };
}

function problemsOf(schema: z.ZodType, issue: Issue, root: unknown, base: ConfigPath): ConfigProblem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const value = valueAt(root, path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => ({
      path: [...base, ...path, key],
      message: `unknown key${known.length === 0 ? '' : `; expected one of ${known.join(', ')}`}`,
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The alternative that went furthest is the one that was meant.
    const meant = issue.errors.reduce((best, each) => (depthOf(each) > depthOf(best) ? each : best));
    if (depthOf(meant) > 0) return meant.flatMap((each) => problemsOf(z.any(), each, value, [...base, ...path]));
  }
  const at = [...base, ...path];
  if (issue.code === 'invalid_type' && value === undefined)
    return [{ path: at, message: `missing; expected ${article(issue.expected)}` }];
  return [{ path: at, message: messageOf(issue), value }];
}

function messageOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${article(issue.expected)}`;
    case 'invalid_value':
      return `expected ${issue.values.map((each) => JSON.stringify(each)).join(' or ')}`;
    default:
      // zod begins its own sentences so; the schemas' sentences stand as they are.
      return issue.message.replace(/^(Invalid input|Too big|Too small): /, '');
  }
}

function article(expected: string): string {
  const name = { record: 'map', object: 'map', array: 'list', int: 'integer' }[expected] ?? expected;
  return /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`;
}

function depthOf(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)));
}

function valueAt(root: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    return (value as Readonly<Record<string | number, unknown>>)[step];
  }, root);
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

/** The keys a schema knows at `path`, by way of its JSON Schema; empty when it cannot be told. */
function knownKeys(schema: z.ZodType, path: ConfigPath): readonly string[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as JsonSchema;
  // A schema that contains itself is a reference there.
  const meant = (place: JsonSchema): JsonSchema =>
    place.$ref === undefined ? place : (root.$defs?.[place.$ref.replace('#/$defs/', '')] ?? root);
  let places: JsonSchema[] = [root];
  for (const step of path) {
    places = places
      .flatMap((place) => [place, ...(place.anyOf ?? [])])
      .flatMap((place) => {
        const other = typeof place.additionalProperties === 'object' ? place.additionalProperties : undefined;
        const next = typeof step === 'number' ? place.items : (place.properties?.[step] ?? other);
        return next === undefined ? [] : [meant(next)];
      });
  }
  const keys = places
    .flatMap((place) => [place, ...(place.anyOf ?? [])])
    .flatMap((place) => Object.keys(place.properties ?? {}));
  return [...new Set(keys)];
}
