/** The files of daemonset/monitoring that are made of others: part of `npm run generate`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { dashboard } from './dashboard.ts';
import { monitoringFolder, prometheusRule } from './rulesfile.ts';

/** File name and text. */
export async function monitoringFiles(): Promise<ReadonlyMap<string, string>> {
  const style = await resolveConfig(join(monitoringFolder, 'x.json'));
  return new Map([
    ['dashboard.json', await format(dashboard(), { ...style, parser: 'json' })],
    ['prometheusrule.yaml', await format(await prometheusRule(), { ...style, parser: 'yaml' })],
  ]);
}

if (import.meta.main)
  for (const [name, text] of await monitoringFiles()) await writeFile(join(monitoringFolder, name), text);
