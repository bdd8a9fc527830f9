/** `npm run generate` writes the pages of docs/ that are made from the program. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { configurationPage } from './configuration.ts';
import { doctorPage } from './doctor.ts';
import { metricsPage } from './metrics.ts';
import { valuesPage } from './values.ts';

const docs = join(import.meta.dirname, '../../docs');

/** The generated pages: file name and text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const options = { ...(await resolveConfig(join(docs, 'x.md'))), parser: 'markdown' };
  const formatted = async (text: string): Promise<string> => await format(text, options);
  return new Map([
    ['configuration.md', await formatted(await configurationPage())],
    ['doctor.md', await formatted(doctorPage())],
    ['metrics.md', await formatted(await metricsPage())],
    ['values.md', await formatted(await valuesPage())],
  ]);
}

if (import.meta.main) for (const [name, text] of await referencePages()) await writeFile(join(docs, name), text);
