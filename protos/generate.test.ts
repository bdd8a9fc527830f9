import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { generateTypes } from './generate.ts';

test('the committed types are those of the .proto files', { timeout: 30_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-types-'));
  try {
    await generateTypes(folder);
    const compared = promisify(execFile)('diff', ['-rq', folder, join(import.meta.dirname, 'types')]);
    await expect(compared, 'run `npm run generate` and commit protos/types').resolves.toMatchObject({ stdout: '' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
