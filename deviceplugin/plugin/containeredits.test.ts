import { expect, test } from 'vitest';
import { containerEdits } from './containeredits.ts';
import { node, state, unit } from './fake/state.ts';

const edits = (rule: object, ...units: ReturnType<typeof unit>[]) => containerEdits(state(rule, units).rule, units);
const pathsOf = (result: ReturnType<typeof containerEdits>): string[] =>
  result.units.flatMap(({ nodes }) => nodes.map(({ containerPath }) => containerPath));

const camera = unit('cam', [
  { role: 'video', node: node('/dev/video2') },
  { role: 'audio', node: node('/dev/snd/pcmC1D0c') },
]);

test('each member of a unit has its path, and variables name them in order', () => {
  const env = { CAMERA: '{{path}}', ID: '{{id}}', ROLES: '{{role}}', ON: 'yes' };
  const result = edits({ container: { path: '/dev/cam/{{role}}{{index}}', env } }, camera);
  expect(pathsOf(result)).toEqual(['/dev/cam/video0', '/dev/cam/audio0']);
  expect(result.env).toEqual({
    CAMERA: '/dev/cam/video0,/dev/cam/audio0',
    ID: 'cam',
    ROLES: 'video,audio',
    ON: 'yes',
    DEVICES_BERTH_DEV_SERIAL_PATHS: '/dev/cam/video0,/dev/cam/audio0',
    DEVICES_BERTH_DEV_SERIAL_IDS: 'cam',
  });
});

test('different values of several units become a list, equal ones stay one', () => {
  const rule = { container: { env: { PORT: '{{name}}', KIND: 'serial' }, annotations: { 'a.b/port': '{{index}}' } } };
  const result = edits(rule, unit('a', ['/dev/ttyUSB0']), unit('b', ['/dev/ttyUSB1']));
  expect(result.env).toMatchObject({ PORT: 'ttyUSB0,ttyUSB1', KIND: 'serial' });
  expect(result.annotations).toEqual({ 'a.b/port': '0,1' });
});

test('a folder as a unit keeps its tree, and nodes beside units are there once, at their own path', () => {
  const beside = node('/dev/vfio/vfio');
  const rule = { directory: '/dev/snd', container: { path: '/dev/audio/' } };
  const result = edits(rule, unit('a', ['/dev/snd/timer', '/dev/snd/sub/x'], { companions: [beside] }));
  expect(pathsOf(result)).toEqual(['/dev/audio/timer', '/dev/audio/sub/x', '/dev/vfio/vfio']);
  expect(result.env['DEVICES_BERTH_DEV_SERIAL_PATHS']).toBe('/dev/audio/timer,/dev/audio/sub/x');
});

test('two nodes at one path are refused with both, the same node is not', () => {
  const rule = { container: { path: '/dev/{{resource}}/x{{role}}' } };
  expect(() => edits(rule, unit('a', ['/dev/ttyUSB0']), unit('b', ['/dev/ttyUSB1']))).toThrow(
    expect.objectContaining({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(
        '/dev/ttyUSB0 and /dev/ttyUSB1 would both be /dev/berth.dev/serial/xdevice',
      ) as string,
    }),
  );
  expect(pathsOf(edits(rule, unit('a', ['/dev/ttyUSB0']), unit('b', ['/dev/ttyUSB0'])))).toHaveLength(2);
});

test.each([
  ['climbs', { path: '/dev/x/{{name}}' }, '/dev/..', 'contains "." or ".."'],
  ['has control characters', {}, '/dev/a\nb', 'contains control characters'],
  ['is not below /dev', {}, '/proc/kcore', 'is not below /dev'],
  ['is empty in part', { path: '/dev/x/{{path}}' }, '/dev/a', 'has an empty part'],
])('a node whose path in the container %s is refused', (_what, container, path, problem) => {
  expect(() => edits({ container }, unit('a', [path]))).toThrow(
    expect.objectContaining({ code: 'FAILED_PRECONDITION', message: expect.stringContaining(problem) as string }),
  );
});

test('a device that names itself after a shell command only ever becomes harmless text', () => {
  const hostile = node('/dev/$(reboot); ,x');
  const result = edits({ container: { path: '/dev/{{name}}', env: { N: '{{name}}' } } }, unit('a', [hostile]));
  expect(pathsOf(result)).toEqual(['/dev/__reboot____x']);
  expect(result.env['N']).toBe('__reboot____x');
});

test('two sources for one mount are refused; one that climbs is too', () => {
  const mounts = (hostPath: string) => ({ container: { mounts: [{ hostPath, containerPath: '/opt/x' }] } });
  const units = [unit('a', ['/dev/ttyUSB0']), unit('b', ['/dev/ttyUSB1'])];
  expect(() => edits(mounts('/opt/{{name}}'), ...units)).toThrow(
    '/opt/ttyUSB0 and /opt/ttyUSB1 would both be mounted at /opt/x',
  );
  expect(() => edits(mounts('/opt/{{name}}'), unit('a', ['/dev/..']))).toThrow('contains "." or ".."');
});

test('more paths than a variable can hold are refused', () => {
  const many = Array.from({ length: 5_000 }, (_, n) => `/dev/some/rather/long/name/of/a/node${n}`);
  expect(() => edits({ directory: '/dev/some' }, unit('a', many))).toThrow('the kernel starts no program with more');
});
