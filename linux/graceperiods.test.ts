import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { kernelGracePeriods } from './graceperiods.ts';

async function file(content?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bg-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'rcu_expedited');
  if (content !== undefined) await writeFile(path, content);
  return path;
}

test('they are made short and long again', async () => {
  const path = await file('0\n');
  const gracePeriods = kernelGracePeriods(path);
  expect(gracePeriods.areLong()).toBe(true);
  gracePeriods.hurry();
  expect(gracePeriods.areLong()).toBe(false);
  expect(await readFile(path, 'utf8')).toMatch(/^1/);
  gracePeriods.relax();
  expect(gracePeriods.areLong()).toBe(true);
});

test('of a kernel that does not say they are not ours to change, and nothing fails or is made', async () => {
  const path = await file();
  const gracePeriods = kernelGracePeriods(path);
  expect(gracePeriods.areLong()).toBe(false);
  gracePeriods.hurry();
  gracePeriods.relax();
  await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' });
});
