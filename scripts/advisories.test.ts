import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const rows = (await readFile(join(root, 'docs/advisories.md'), 'utf8'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('.test.ts'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, advisory = '', , , shown = '']) => ({ advisory, shown }));

test.each(rows)('the test named for $advisory exists', async ({ shown }) => {
  const [, file = '', title = ''] = /^`(\S+)`: (.+)$/.exec(shown) ?? [];
  expect(await readFile(join(root, file), 'utf8')).toContain(title);
});

test('every row names one', () => {
  expect(rows.length).toBe(24);
});

test('nothing of the pod network starts a program', async () => {
  const files = await Array.fromAsync(glob('cni/**/*.{ts,c}', { cwd: root }));
  expect(files.length).toBeGreaterThan(50);
  for (const file of files.filter((each) => !each.endsWith('.test.ts')))
    expect(await readFile(join(root, file), 'utf8'), file).not.toMatch(
      /child_process|\bexec[vl]\w*\(|posix_spawn|\bsystem\(/,
    );
});
