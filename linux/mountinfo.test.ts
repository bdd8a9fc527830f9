import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coveringMount, parseMountInfo, readMountInfo } from './mountinfo.ts';
import type { MountEntry } from './mountinfo.ts';

test.each([
  ['no optional field', '36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw,errors=continue', [], '/mnt'],
  [
    'two optional fields',
    '36 35 98:0 /a /mnt rw shared:1 master:2 - ext4 /dev/root rw',
    ['shared:1', 'master:2'],
    '/mnt',
  ],
  ['an escaped blank and backslash', '36 35 0:5 / /mnt/a\\040b\\134c rw - tmpfs - rw', [], '/mnt/a b\\c'],
  ['a hyphen as root and source', '36 35 0:5 - /mnt rw - tmpfs - rw', [], '/mnt'],
])('a line with %s', (_, line, tags, mountPoint) => {
  expect(parseMountInfo(`${line}\n`)).toMatchObject([{ id: 36, parent: 35, tags, mountPoint }]);
});

test('an empty source, a missing end of line and a half-read line are no surprise', () => {
  expect(parseMountInfo('1 0 0:1 / / rw - tmpfs')).toEqual([]);
  expect(parseMountInfo('1 0 0:1 / / rw - tmpfs  rw')).toMatchObject([{ source: '', fsType: 'tmpfs' }]);
});

const escapeField = (text: string): string =>
  text.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

function formatLine(entry: MountEntry): string {
  const fields = [entry.id, entry.parent, entry.device, escapeField(entry.root), escapeField(entry.mountPoint)];
  const rest = [escapeField(entry.fsType), escapeField(entry.source), entry.superOptions.join(',')];
  return [...fields, entry.options.join(','), ...entry.tags, '-', ...rest].join(' ');
}

const path = fc
  .string({ unit: fc.constantFrom('a', 'ß', ' ', '\t', '\n', '\\', '#', '-', '0', '/') })
  .map((s) => `/${s}`);
const words = fc.array(fc.constantFrom('rw', 'ro', 'noatime', 'size=4k'), { minLength: 1, maxLength: 3 });
const entry = fc.record({
  id: fc.nat(),
  parent: fc.nat(),
  device: fc.constantFrom('7:0', '259:1048575'),
  root: path,
  mountPoint: path,
  options: words,
  tags: fc.subarray(['shared:7', 'master:3', 'propagate_from:2', 'unbindable']),
  fsType: fc.constantFrom('ext4', 'fuse.a b'),
  source: path,
  superOptions: words,
});

test('what the kernel writes is read back whatever the names hold', () => {
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      expect(parseMountInfo(entries.map((e) => `${formatLine(e)}\n`).join(''))).toEqual(entries);
    }),
  );
});

test('any text gives a list and no exception', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(Array.isArray(parseMountInfo(text))).toBe(true);
    }),
  );
});

test('the covering mount is the nearest above, the topmost of two', () => {
  const table = parseMountInfo(
    ['1 0 0:1 / / rw - ext4 a rw', '2 1 0:2 / /a rw - tmpfs b rw', '3 2 0:3 / /a rw - tmpfs c rw'].join('\n'),
  );
  expect(coveringMount(table, '/a/x')?.source).toBe('c');
  expect(coveringMount(table, '/ab')?.source).toBe('a');
  expect(coveringMount(table, '/a')?.source).toBe('c');
});

test('the table of this process has a root and proc', () => {
  const table = readMountInfo();
  expect(coveringMount(table, '/')?.mountPoint).toBe('/');
  expect(coveringMount(table, '/proc/self')?.fsType).toBe('proc');
});
