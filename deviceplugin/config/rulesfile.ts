/** One file of `rulesDir`: a YAML document with the key `resources`, checked like those of the section itself. */
import { z } from 'zod';
import type { ConfigProblem } from '../../kit/config/problem.ts';
import { parseYaml } from '../../kit/config/yaml.ts';
import { check } from '../../kit/config/zodproblems.ts';
import type { ResourceRule } from './resource.ts';
import { environmentPart } from './resourcename.ts';
import { mountsOutside, resources } from './section.ts';

export interface RulesFileOptions {
  /** Folders that `container.mounts` may be below. */
  readonly mountRoots: readonly string[];
  /** Names of resources that other texts have, with where: a file's name, or `devices.resources`. */
  readonly otherNames: ReadonlyMap<string, string>;
}

export type RulesFile =
  { readonly rules: readonly ResourceRule[] } | { readonly problems: readonly [ConfigProblem, ...ConfigProblem[]] };

const schema = z.strictObject({ resources });

/** The rules of a file's text, or every problem it has; `formatProblem` with the file's name makes lines of them. */
export function parseRules(text: string, { mountRoots, otherNames }: RulesFileOptions): RulesFile {
  const yaml = parseYaml(text);
  const problems: ConfigProblem[] = [...yaml.problems];
  let rules: readonly ResourceRule[] = [];
  if (problems.length === 0) {
    const checked = check(schema, yaml.content, []);
    if ('problems' in checked) problems.push(...checked.problems);
    else rules = checked.value.resources;
  }
  for (const { at, message } of mountsOutside(rules, mountRoots))
    problems.push({ path: ['resources', ...at], message });
  problems.push(...namesElsewhere(rules, otherNames));
  const [first, ...rest] = yaml.inOrder(problems);
  return first === undefined ? { rules } : { problems: [first, ...rest] };
}

function namesElsewhere(
  rules: readonly ResourceRule[],
  otherNames: ReadonlyMap<string, string>,
): readonly ConfigProblem[] {
  const taken = new Map([...otherNames].map(([name, where]) => [environmentPart(name), { name, where }]));
  return rules.flatMap(({ name }, index) => {
    const other = taken.get(environmentPart(name));
    if (other === undefined) return [];
    const message =
      other.name === name
        ? `"${name}" is in ${other.where}, too; put all its devices into one resource`
        : `"${name}" and "${other.name}" of ${other.where} give the same environment variables; rename one`;
    return [{ path: ['resources', index, 'name'], message }];
  });
}
