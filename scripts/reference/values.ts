/** The text of docs/values.md: every value of the chart, from values.yaml, its comments and the schema. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { schemaOfValues } from '../chart/schema.ts';
import type { Schema } from '../chart/schema.ts';
import { valueKeys } from '../chart/valuekeys.ts';
import type { ValueKey } from '../chart/valuekeys.ts';
import { table } from './table.ts';

const valuesFile = join(import.meta.dirname, '../../daemonset/chart/values.yaml');

/** Longer defaults are looked up in values.yaml. */
const longest = 60;

function row({ path, schema, preset, meaning, inherited }: ValueKey): readonly string[] {
  const section = /^config\.(\w+)$/.exec(path)?.[1];
  const type = section === undefined ? typeOf(schema ?? {}) : `[\`${section}\`](configuration.md#${section})`;
  const text = JSON.stringify(preset?.value ?? null);
  const shown = text.length > longest ? '[values.yaml](../daemonset/chart/values.yaml)' : `\`${text}\``;
  return [`\`${path}\``, type, shown, inherited ? '' : sentence(meaning)];
}

function typeOf({ type, enum: choices, anyOf, minimum, maximum }: Schema): string {
  if (choices !== undefined) return choices.map((each) => `\`${each}\``).join(', ');
  // That it may be left empty the default says.
  if (anyOf !== undefined)
    return anyOf
      .filter((each) => each.const === undefined)
      .map(typeOf)
      .join(' or ');
  if (minimum !== undefined && maximum !== undefined) return `${type ?? 'number'}, ${minimum} to ${maximum}`;
  if (type === 'array') return 'list';
  return type === 'object' ? 'map' : (type ?? 'anything');
}

/** Markdown would take `<` for a tag. */
function sentence(text: string): string {
  return text.replaceAll('<', '&lt;');
}

/** The text of the page, before it is formatted. */
export async function valuesPage(): Promise<string> {
  const text = await readFile(valuesFile, 'utf8');
  const keys = valueKeys(text, schemaOfValues()).filter(({ isGroup, preset }) => !isGroup && preset !== undefined);
  return `<!-- Made by npm run generate from daemonset/chart/values.yaml: change that. -->

# Values of the chart

[install.md](install.md) says how to choose. Helm refuses what is of another type, and keys that are not here; the sections of \`config\`
are checked as the agent checks them.

${table(['Value', 'Type', 'Default', 'Meaning'], keys.map(row))}
`;
}
