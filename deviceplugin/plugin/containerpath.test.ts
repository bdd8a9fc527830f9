import fc from 'fast-check';
import { expect, test } from 'vitest';
import { containerPath, problemOfDevicePath } from './containerpath.ts';
import { state } from './fake/state.ts';

const values = {
  id: 'a-1',
  index: '2',
  name: 'ttyUSB0',
  path: '/dev/ttyUSB0',
  resource: 'berth.dev/serial',
  role: 'x',
};

test.each([
  ['the path on the host without a rule', {}, '/dev/ttyUSB0'],
  ['a folder and the name', { container: { path: '/dev/serial/' } }, '/dev/serial/ttyUSB0'],
  ['a fixed path', { paths: ['/dev/ttyUSB0'], container: { path: '/dev/modem' } }, '/dev/modem'],
  ['variables', { container: { path: '/dev/{{role}}{{ index }}-{{id}}' } }, '/dev/x2-a-1'],
  ['a folder with variables', { container: { path: '/dev/{{index}}/' } }, '/dev/2/ttyUSB0'],
])('a node appears at %s', (_what, rule, path) => {
  expect(containerPath(state(rule, []).rule, values)).toBe(path);
});

test('nodes below a folder keep their path below it', () => {
  const { rule } = state({ directory: '/dev/snd', container: { path: '/dev/audio/' } }, []);
  expect(containerPath(rule, { ...values, path: '/dev/snd/by/x' })).toBe('/dev/audio/by/x');
});

test.each([
  ['/etc/passwd', 'is not below /dev'],
  ['/dev/../etc', 'contains "." or ".."'],
  ['/dev/a/..', 'contains "." or ".."'],
  ['/dev//a', 'has an empty part'],
  ['/dev/', 'has an empty part'],
  ['/dev/a\nb', 'contains control characters'],
  [`/dev/${'x'.repeat(5_000)}`, 'is longer than the 4095 bytes of a path'],
])('%j is refused', (path, problem) => {
  expect(problemOfDevicePath(path)).toBe(problem);
});

test('whatever a device is called, its path in the container is below /dev or refused', () => {
  const hostile = fc.string({ unit: fc.constantFrom('/', '.', 'a', '$', '\n', '{', '}') });
  fc.assert(
    fc.property(
      hostile,
      fc.constantFrom('/dev/x/', '/dev/{{name}}', '/dev/x-{{id}}', '/dev/{{path}}'),
      (name, path) => {
        const { rule } = state({ container: { path } }, []);
        const given = containerPath(rule, { ...values, name, id: name, path: `/dev/${name}` });
        if (problemOfDevicePath(given) !== undefined) return;
        expect(new URL(given, 'file:///').pathname).toMatch(/^\/dev\/./);
      },
    ),
  );
});
