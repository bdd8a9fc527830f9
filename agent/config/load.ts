/** From the text of a NodeConfig to a checked configuration, or to every problem it has at once. */
import { z } from 'zod';
import type { ConfigProblem } from '../../kit/config/problem.ts';
import { parseYaml } from '../../kit/config/yaml.ts';
import { check } from '../../kit/config/zodproblems.ts';

export const apiVersion = 'berth.dev/v1alpha1';
export const kind = 'NodeConfig';

/** Schema of each section under its key. A section whose schema accepts undefined (a default) is never missing. */
export type SectionSchemas = Readonly<Record<string, z.ZodType>>;

export type Sections<S extends SectionSchemas> = { readonly [K in keyof S]?: z.output<S[K]> };

/** Looks across the sections that are right in themselves. */
export type CrossCheck<S extends SectionSchemas> = (sections: Sections<S>) => readonly ConfigProblem[];

/** The checked sections, those in `A` always there; or what is wrong. */
export type Loaded<S extends SectionSchemas, A extends keyof S> =
  | { readonly config: Sections<S> & Required<Pick<Sections<S>, A>> }
  | { readonly problems: readonly [ConfigProblem, ...ConfigProblem[]] };

/**
 * Checks a NodeConfig document. Every section is checked on its own, so that a mistake in one never hides those of
 * another. Sections in `always` are given their defaults when the document has none; the others stay absent (off).
 */
export function loadConfig<S extends SectionSchemas, A extends keyof S & string>(
  text: string,
  schemas: S,
  always: readonly A[],
  crossCheck: CrossCheck<S>,
): Loaded<S, A> {
  const yaml = parseYaml(text);
  const problems: ConfigProblem[] = [...yaml.problems];
  const sections: Record<string, unknown> = {};
  if (problems.length === 0) {
    const head = check(headSchema(schemas), yaml.content, []);
    if ('problems' in head) problems.push(...head.problems);
    for (const [key, schema] of Object.entries(schemas)) {
      const given = sectionOf(yaml.content, key);
      const value = given === undefined && (always as readonly string[]).includes(key) ? {} : given;
      if (value === undefined) continue;
      const result = check(schema, value, [key]);
      if ('problems' in result) problems.push(...result.problems);
      else sections[key] = result.value;
    }
    problems.push(...crossCheck(sections as Sections<S>));
  }
  const [first, ...rest] = yaml.inOrder(problems);
  if (first !== undefined) return { problems: [first, ...rest] };
  return { config: sections as Sections<S> & Required<Pick<Sections<S>, A>> };
}

/** The document around the sections: which keys it may have; what is in the sections is checked by their own schemas. */
function headSchema(schemas: SectionSchemas): z.ZodType {
  const sections = Object.fromEntries(Object.keys(schemas).map((key) => [key, z.unknown().optional()]));
  return z.strictObject({ apiVersion: z.literal(apiVersion), kind: z.literal(kind), ...sections });
}

function sectionOf(content: unknown, key: string): unknown {
  if (typeof content !== 'object' || content === null || !Object.hasOwn(content, key)) return undefined;
  return (content as Readonly<Record<string, unknown>>)[key];
}
