import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { layerEntries } from './image.ts';
import { createTar } from '../kit/tar.ts';

test('a layer names every folder once and before what is in it', () => {
  const entries = layerEntries([
    { path: '/bin/busybox', content: 'x', mode: 0o755 },
    { path: '/bin/sh', symlink: 'busybox' },
    { path: '/tmp', folder: true, mode: 0o1777 },
    { path: '/var/lib/a', content: '' },
  ]);
  expect(entries.map((entry) => entry.path)).toEqual([
    ...['bin', 'bin/busybox', 'bin/sh', 'tmp'],
    ...['var', 'var/lib', 'var/lib/a'],
  ]);
});

test('tar reads what createTar wrote', () => {
  const archive = createTar([
    { path: 'd', type: 'folder', mode: 0o1777 },
    { path: 'd/file', type: 'file', content: Buffer.alloc(513, 'a'), mode: 0o755 },
    { path: 'd/link', type: 'symlink', target: 'file' },
  ]);
  const listing = execFileSync('tar', ['--list', '--verbose', '--numeric-owner'], { input: archive, encoding: 'utf8' });
  const lines = listing
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  expect(lines.map((words) => [words[0], words[1], words[2], words.slice(5).join(' ')])).toEqual([
    ['drwxrwxrwt', '0/0', '0', 'd/'],
    ['-rwxr-xr-x', '0/0', '513', 'd/file'],
    ['lrwxrwxrwx', '0/0', '0', 'd/link -> file'],
  ]);
});

test('the same entries are the same archive, byte for byte', () => {
  const entry = { path: 'a', type: 'file', content: Buffer.from('b') } as const;
  expect(createTar([entry]).equals(createTar([entry]))).toBe(true);
});

test('a name that a tar header cannot hold is refused', () => {
  expect(() => createTar([{ path: 'x'.repeat(101), type: 'folder' }])).toThrow(/longer than the 100 bytes/);
});
