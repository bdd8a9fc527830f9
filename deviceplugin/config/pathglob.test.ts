import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesPath, parseGlob } from './pathglob.ts';
import type { PathGlob } from './pathglob.ts';

function parsed(pattern: string): PathGlob {
  const glob = parseGlob(pattern);
  if (typeof glob === 'string') throw new Error(`${pattern} ${glob}`);
  return glob;
}

test.each([
  ['/dev/fuse', '/dev/fuse', true],
  ['/dev/fuse', '/dev/fuse2', false],
  ['/dev/ttyUSB*', '/dev/ttyUSB0', true],
  ['/dev/ttyUSB*', '/dev/ttyUSB', true],
  ['/dev/ttyUSB?', '/dev/ttyUSB', false],
  ['/dev/*', '/dev/snd/timer', false],
  ['/dev/*/timer', '/dev/snd/timer', true],
  ['/dev/*', '/dev/.hidden', false],
  ['/dev/.h*', '/dev/.hidden', true],
  ['/dev/video[0-3]', '/dev/video2', true],
  ['/dev/video[!0-3]', '/dev/video2', false],
  ['/dev/video[0-3]', '/dev/video4', false],
  ['/dev/a[x-]', '/dev/a-', true],
  ['/dev/*a*b', '/dev/aab', true],
  ['/dev/*a*b', '/dev/aabc', false],
  ['/dev/a.b', '/dev/axb', false],
  ['/dev/serial/by-id/usb-*-port?', '/dev/serial/by-id/usb-FTDI-x-port0', true],
])('%s on %s is %j', (pattern, path, matches) => {
  expect(matchesPath(parsed(pattern), path)).toBe(matches);
});

test.each([
  '',
  'dev/fuse',
  '/dev',
  '/dev/',
  '/etc/passwd',
  '/dev/../etc/passwd',
  '/dev/a/./b',
  '/dev//b',
  '/dev/a/',
  '/dev/**',
  '/dev/a[',
  '/dev/a[]',
  '/dev/a[!]',
  '/dev/a]',
  '/dev/a\u0000b',
  '/dev/a\\b',
])('the pattern %j is refused', (pattern) => {
  expect(parseGlob(pattern)).toBeTypeOf('string');
});

const name = fc.stringMatching(/^[a-c][a-c.-]{0,7}$/);

test('a pattern without wildcards matches its own path and no other', () => {
  fc.assert(
    fc.property(name, name, (one, other) => {
      const glob = parsed(`/dev/${one}`);
      expect(matchesPath(glob, `/dev/${one}`)).toBe(true);
      expect(matchesPath(glob, `/dev/${other}`)).toBe(one === other);
    }),
  );
});

test('stars and question marks mean what the regular expression of the same pattern means', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-c]([a-c?]|\*[a-c?])*\*?$/), name, (pattern, candidate) => {
      const model = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll('*', '.*')}$`);
      expect(matchesPath(parsed(`/dev/${pattern}`), `/dev/${candidate}`)).toBe(model.test(candidate));
    }),
  );
});

test('any text is either a pattern below /dev or refused with a sentence', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('/', '.', '*', '[', ']', '!', '-', 'a', '?') }), (text) => {
      const glob = parseGlob(`/dev/${text}`);
      if (typeof glob !== 'string') expect(glob.segments).not.toContain('..');
    }),
  );
});
