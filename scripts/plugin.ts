/** The plugin of kubectl as files for a user's PATH: one bundle without node_modules, and what kubectl asks for completions. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';

/** Libraries in the older module format ask for these three by name. */
export const forOlderModules = [
  "import { createRequire as __createRequire } from 'node:module';",
  'const require = __createRequire(import.meta.url);',
  'const __dirname = import.meta.dirname, __filename = import.meta.filename;',
].join('\n');

/** Makes `kubectl-berth`, for Node 22 or newer, and `kubectl_complete-berth` in the folder. */
export async function buildPlugin(folder: string): Promise<void> {
  const outfile = join(folder, 'kubectl-berth');
  await bundle({
    entryPoints: [join(import.meta.dirname, '../agent/kubectl/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: `#!/usr/bin/env node\n${forOlderModules}` },
    logLevel: 'error',
    legalComments: 'inline',
  });
  const completion = join(folder, 'kubectl_complete-berth');
  await writeFile(completion, '#!/bin/sh\nexec kubectl-berth __complete "$@"\n');
  for (const each of [outfile, completion]) await chmod(each, 0o755);
}
