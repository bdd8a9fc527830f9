/** The text of docs/configuration.md: every key of the NodeConfig, from the schemas and their descriptions. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { applicableFields } from '../../agent/config/decision.ts';
import { sections } from '../../agent/nodeconfig.ts';
import { table } from './table.ts';

export const exampleFile = join(import.meta.dirname, '../../docs/example.yaml');

/** What is read of a JSON Schema, as zod makes it from ours. */
interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  /** What the values of a map are. */
  readonly additionalProperties?: Schema | boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** A key with its place in the section: `pools[].name`. */
interface Key {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

const about: Readonly<Record<keyof typeof sections, string>> = {
  agent: 'The daemon itself.',
  kubelet: "This node's kubelet.",
  network: 'The pod network (CNI). Without this section Berth leaves the network to others.',
  devices: 'Device nodes for pods (device plugin). Without this section no device is offered.',
  storage: 'Volumes of this node (CSI). Without this section Berth registers no driver.',
};

/** The keys of each section, in the order of the schema. */
export function referenceKeys(): ReadonlyMap<string, readonly Key[]> {
  return new Map(
    Object.entries(sections).map(([name, section]) => {
      const schema = z.toJSONSchema(section, { io: 'input', unrepresentable: 'any', reused: 'inline' });
      return [name, keysOf(schema as Schema, '', new Set())];
    }),
  );
}

/** Keys of a map and below. What has a title is shown where it first stands; elsewhere the title says it. */
function keysOf({ title, properties = {}, required = [] }: Schema, prefix: string, shown: Set<string>): Key[] {
  if (title !== undefined) {
    if (shown.has(title)) return [];
    shown.add(title);
  }
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = `${prefix}${name}`;
    const below = schema.items === undefined ? [] : keysOf(schema.items, `${path}[].`, shown);
    return [{ path, schema, required: required.includes(name) }, ...below, ...keysOf(schema, `${path}.`, shown)];
  });
}

function typeOf(schema: Schema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((each) => `\`${each}\``).join(', ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.type === 'integer' || schema.type === 'number')
    return schema.maximum === undefined ? schema.type : `${schema.type}, ${schema.minimum ?? ''} to ${schema.maximum}`;
  if (schema.type === 'array' && schema.items !== undefined) {
    const what = listOf(schema.items);
    return schema.maxItems === undefined ? what : `${what}, at most ${schema.maxItems}`;
  }
  if (typeof schema.additionalProperties === 'object') return `map of ${plural(typeOf(schema.additionalProperties))}`;
  return schema.type === 'object' ? 'map' : (schema.type ?? 'anything');
}

function listOf(items: Schema): string {
  if (items.enum !== undefined) return `list of ${typeOf(items)}`;
  return items.title === undefined && items.properties !== undefined ? 'list' : `list of ${plural(typeOf(items))}`;
}

/** `path below /dev` → `paths below /dev`. */
function plural(type: string): string {
  return type.replace(/( below .*)?$/, 's$1');
}

function row({ path, schema, required }: Key): readonly string[] {
  const preset = schema.default === undefined ? '–' : `\`${JSON.stringify(schema.default)}\``;
  return [`\`${path}\``, typeOf(schema), required ? 'required' : preset, schema.description ?? ''];
}

/** The text of the page, before it is formatted. */
export async function configurationPage(): Promise<string> {
  const example = await readFile(exampleFile, 'utf8');
  const headings = ['Key', 'Type', 'Default', 'Meaning'];
  const tables = [...referenceKeys()].map(
    ([name, keys]) => `## ${name}\n\n${about[name as keyof typeof sections]}\n\n${table(headings, keys.map(row))}`,
  );
  const takenOver = applicableFields.map((field) => `\`${field}\``).join(', ');
  return `<!-- Made by npm run generate from the schemas: change those. -->

# Configuration

\`berth run --config FILE\` reads one YAML document, \`apiVersion: berth.dev/v1alpha1\` and \`kind: NodeConfig\`, with the
sections below. Unknown keys, wrong types and contradictions are all reported at once, with exit code 2;
\`berth validate FILE\` checks without running. In a cluster the chart makes the document of its values ([install.md](install.md)), for all nodes
or for groups of them; with \`kubectl apply -k daemonset/\` it is [daemonset/config.yaml](../daemonset/config.yaml).

The agent follows the file. ${takenOver} are taken over while it runs; whatever else changes waits for a restart, and it says so
([install.md](install.md#changing-the-configuration)).

${tables.join('\n\n')}

## Example

\`\`\`yaml
${example}\`\`\`
`;
}
