/** The text of daemonset/chart/values.schema.json: ./values.ts with the sections of the NodeConfig in their places. */
import { z } from 'zod';
import { sections } from '../../agent/nodeconfig.ts';
import { plugins } from '../../agent/part.ts';
import { valuesSchema } from './values.ts';

/** What is read of a JSON Schema, as zod makes it. */
export interface Schema {
  readonly $ref?: string;
  readonly $schema?: string;
  readonly $comment?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean;
}

const chartSections = ['agent', ...plugins] as const;

/** The schema of the values, with the NodeConfig's sections under `$defs`. */
export function schemaOfValues(): Schema {
  const { properties = {}, ...rest } = jsonSchema(valuesSchema, 'inline');
  const { agent, network, devices, storage } = sections;
  const { properties: ofSections = {}, $defs } = jsonSchema(
    z.strictObject({ agent, network, devices, storage }),
    'ref',
  );
  const groups = properties['nodeGroups'];
  const group = groups?.items;
  const changes = { ...group, properties: { ...group?.properties, config: configOf('Changes') } };
  const definitions = chartSections.map((name) => {
    const { required, ...free } = ofSections[name] ?? {};
    return { [name]: { ...free, ...(required === undefined ? {} : { required }) }, [`${name}Changes`]: free };
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: 'Made by npm run generate: change scripts/chart/values.ts.',
    ...rest,
    properties: { ...properties, config: configOf(''), nodeGroups: { ...groups, items: changes } },
    $defs: Object.assign({}, ...definitions, $defs) as Record<string, Schema>,
  };
}

/** The value `config`, or with `Changes` that of a node group, which says only what it has otherwise. */
function configOf(suffix: '' | 'Changes'): Schema {
  return {
    type: 'object',
    properties: Object.fromEntries(chartSections.map((name) => [name, { $ref: `#/$defs/${name}${suffix}` }])),
    additionalProperties: false,
  };
}

function jsonSchema(schema: z.ZodType, reused: 'inline' | 'ref'): Schema {
  const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused });
  return forHelm(made) as Schema;
}

/**
 * Without what Helm does not need: words and defaults, which are in docs/configuration.md. And without patterns that its regular
 * expressions cannot do (looking ahead or back): the agent checks everything again.
 */
function forHelm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(forHelm);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value as Record<string, unknown>).flatMap(([key, each]): [string, unknown][] => {
    if (['default', 'description', 'title'].includes(key)) return [];
    if (key === 'pattern' && typeof each === 'string')
      return /\(\?[=!<]|\\[1-9]/.test(each) ? [] : [[key, each.replaceAll('\\u00', '\\x')]];
    // Below these, keys are names.
    if (key === 'properties' || key === '$defs')
      return [[key, Object.fromEntries(Object.entries(each as object).map(([name, below]) => [name, forHelm(below)]))]];
    return [[key, forHelm(each)]];
  });
  return Object.fromEntries(kept);
}
