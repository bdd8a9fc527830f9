import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockFile } from './filelock.ts';

test('a lock is held by one opening at a time and can be taken again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-lock-'));
  const path = join(folder, '.lock');
  const first = await lockFile(path);
  await expect(lockFile(path)).rejects.toMatchObject({ code: 'BUSY' });
  await first.release();
  await (await lockFile(path)).release();
  await rm(folder, { recursive: true });
});
