/** `npm run generate` writes what is made for and of the chart: its schema, and the manifests in daemonset/. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { manifestFiles } from './manifests.ts';
import { schemaOfValues } from './schema.ts';

const daemonset = join(import.meta.dirname, '../../daemonset');

/** The generated files: path below daemonset/ and text. The schema comes first, for Helm reads it. */
export async function* generatedFiles(): AsyncGenerator<readonly [path: string, text: string]> {
  const schema = 'chart/values.schema.json';
  yield [schema, await formatted(schema, JSON.stringify(schemaOfValues()))];
  for (const [path, text] of await manifestFiles()) yield [path, await formatted(path, text)];
}

async function formatted(path: string, text: string): Promise<string> {
  const filepath = join(daemonset, path);
  return await format(text, { ...(await resolveConfig(filepath)), filepath });
}

if (import.meta.main) {
  for await (const [path, text] of generatedFiles()) {
    await mkdir(dirname(join(daemonset, path)), { recursive: true });
    await writeFile(join(daemonset, path), text);
  }
}
