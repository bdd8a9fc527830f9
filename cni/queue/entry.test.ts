import fc from 'fast-check';
import { expect, test } from 'vitest';
import { entryName, keyOfDel } from './entry.ts';

const pod = { CNI_CONTAINERID: 'a.b-c_d', CNI_IFNAME: 'eth0' };

test.each<[string, Record<string, string>, unknown, string | undefined]>([
  ['a DEL by container and interface', { CNI_COMMAND: 'DEL', ...pod }, undefined, 'DEL,a.b-c_d,eth0'],
  ['a GC by network', { CNI_COMMAND: 'GC' }, 'berth', 'GC,berth'],
  ['a GC without a network', { CNI_COMMAND: 'GC' }, 7, undefined],
  ['a GC of a path', { CNI_COMMAND: 'GC' }, '../berth', undefined],
  ['an ADD', { CNI_COMMAND: 'ADD', ...pod }, 'berth', undefined],
  ['a DEL of a path', { CNI_COMMAND: 'DEL', ...pod, CNI_CONTAINERID: '../../etc' }, 'berth', undefined],
  ['a DEL of 4 KiB', { CNI_COMMAND: 'DEL', ...pod, CNI_CONTAINERID: 'x'.repeat(4096) }, 'berth', undefined],
  ['a DEL without an interface', { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a' }, 'berth', undefined],
])('%s', (_what, variables, network, name) => {
  expect(entryName(variables, network)).toBe(name);
});

test('two keys never share an entry, and no entry leaves the folder', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ',', '/', '.', '-', '\0'), maxLength: 6 });
  fc.assert(
    fc.property(text, text, text, text, (idA, linkA, idB, linkB) => {
      const [a, b] = [
        [idA, linkA],
        [idB, linkB],
      ].map(([CNI_CONTAINERID = '', CNI_IFNAME = '']) =>
        entryName({ CNI_COMMAND: 'DEL', CNI_CONTAINERID, CNI_IFNAME }, undefined),
      );
      for (const name of [a, b]) expect(name ?? 'DEL,').toMatch(/^DEL,[^/\0]*$/);
      if (a !== undefined && a === b) expect([idA, linkA]).toEqual([idB, linkB]);
    }),
  );
});

test.each([
  ['DEL,c1,eth0', { containerID: 'c1', ifname: 'eth0' }],
  ['DEL,c1,a,b', { containerID: 'c1', ifname: 'a,b' }],
  ['GC,berth', undefined],
  ['.tmp-1-2', undefined],
  ['DEL,c1', undefined],
])('the entry %s deletes %j', (name, key) => {
  expect(keyOfDel(name)).toEqual(key);
});
