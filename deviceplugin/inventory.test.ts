import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseGlob } from './glob.ts';
import { readInventory } from './inventory.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-dev-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

const glob = (pattern: string) => [parseGlob(pattern)].filter((parsed) => typeof parsed !== 'string');

test.each(['/dev/missing/*', '/dev/file/*', '/dev/loop/*'])(
  'a folder that is none (%s) has no devices',
  async (pattern) => {
    await writeFile(join(root, 'file'), '');
    await symlink('loop', join(root, 'loop'));
    expect(await readInventory(root, glob(pattern))).toEqual({ nodes: [], misfits: [] });
  },
);

test('a process without descriptors knows nothing new, which is no list of devices', async () => {
  // More files than this process may have, in a process of its own.
  const script = `
    const { readInventory } = await import('${join(import.meta.dirname, 'inventory.ts')}');
    const { parseGlob } = await import('${join(import.meta.dirname, 'glob.ts')}');
    const { openSync } = await import('node:fs');
    try { for (;;) openSync('/dev/null'); } catch {}
    await readInventory('/dev', [parseGlob('/dev/n*')]).then(() => console.log('a list'), ({ code }) => console.log(code));`;
  const limited = ['-c', 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"', process.execPath, script];
  expect((await promisify(execFile)('sh', limited)).stdout.trim()).toBe('EMFILE');
});

test('a file and a link out of /dev are named and not offered', async () => {
  await mkdir(join(root, 'a'));
  await writeFile(join(root, 'a/file'), '');
  await symlink('/dev/null', join(root, 'a/out'));
  const { nodes, misfits } = await readInventory(root, glob('/dev/a/*'));
  expect(nodes).toEqual([]);
  expect(misfits).toEqual([
    { path: '/dev/a/file', reason: 'is no device node' },
    { path: '/dev/a/out', reason: 'leads out of /dev, to /dev/null' },
  ]);
});
