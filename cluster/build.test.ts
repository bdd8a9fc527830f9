import { expect, test } from 'vitest';
import { buildGroups, programPath } from './build.ts';
import { cacheFolder } from './cache.ts';

test('programs of one module are built together and the modules in the order asked for', () => {
  expect(buildGroups(['kubernetes', 'containerd', 'coredns', 'ctr'])).toEqual([
    { module: 'kubernetes', names: ['kubernetes'] },
    { module: 'tools', names: ['containerd', 'ctr'] },
    { module: 'coredns', names: ['coredns'] },
  ]);
});

test('a program lies in the cache under the hash of its sources, the same for all of one module', () => {
  const folder = /\/bin\/tools-[0-9a-f]{12}\//;
  expect(programPath('ctr').startsWith(cacheFolder())).toBe(true);
  expect(programPath('ctr')).toMatch(folder);
  expect(folder.exec(programPath('ctr'))?.[0]).toBe(folder.exec(programPath('pause'))?.[0]);
});
