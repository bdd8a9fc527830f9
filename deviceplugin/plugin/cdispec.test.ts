import { expect, test } from 'vitest';
import { cdiDeviceName, cdiFileName, cdiSpec, problemOfKind } from './cdispec.ts';
import { node, state, unit } from './fake/state.ts';

const usb = { lineage: ['/devices/pci0000:00/usb1/1-2'] };
const raw = unit('adapter-1', ['/dev/bus/usb/001/004'], usb);
const parsed = (rule: object, ...units: ReturnType<typeof unit>[]): unknown => {
  const { text } = cdiSpec(state(rule, units));
  return text === undefined ? undefined : JSON.parse(text);
};

test('a unit has a device with its variables, and one with its nodes only', () => {
  const rule = {
    container: {
      path: '/dev/adapter',
      env: { ADAPTER: '{{path}}' },
      mounts: [{ hostPath: '/opt/fw', containerPath: '/fw' }],
    },
    paths: ['/dev/bus/usb/001/004'],
    permissions: 'rwm',
  };
  const beside = { ...raw, companions: [node('/dev/vfio/vfio')] };
  const edits = {
    deviceNodes: [
      { path: '/dev/adapter', hostPath: '/dev/bus/usb/001/004', permissions: 'rwm' },
      { path: '/dev/vfio/vfio', permissions: 'rwm' },
    ],
    mounts: [{ hostPath: '/opt/fw', containerPath: '/fw', options: ['rbind', 'nosuid', 'nodev', 'ro'] }],
  };
  expect(parsed(rule, beside)).toEqual({
    cdiVersion: '0.5.0',
    kind: 'berth.dev/serial',
    devices: [
      {
        name: 'adapter-1',
        containerEdits: {
          env: [
            'ADAPTER=/dev/adapter',
            'DEVICES_BERTH_DEV_SERIAL_PATHS=/dev/adapter',
            'DEVICES_BERTH_DEV_SERIAL_IDS=adapter-1',
          ],
          ...edits,
        },
      },
      { name: 'adapter-1:nodes', containerEdits: edits },
    ],
  });
});

test.each([
  ['the first where nothing is special', 'a.b/serial', raw, {}, '0.3.0'],
  ['0.5.0 for a node under another path', 'a.b/serial', raw, { container: { path: '/dev/x{{role}}' } }, '0.5.0'],
  ['0.5.0 for a name that begins with a digit', 'a.b/serial', { ...raw, id: '1-x' }, {}, '0.5.0'],
  ['0.6.0 for a class with dots', 'a.b/serial.usb', raw, {}, '0.6.0'],
])('the version is %s', (_what, name, of, rule, cdiVersion) => {
  expect(parsed({ name, ...rule }, of)).toMatchObject({ cdiVersion });
});

test.each([
  ['away', { injection: 'cdi' }, { ...raw, present: false }],
  ['not pluggable', {}, unit('fuse', ['/dev/fuse'])],
  ['of a rule that says devicespec', { injection: 'devicespec' }, raw],
  ['of a rule with {{index}}', { container: { path: '/dev/x{{index}}' } }, raw],
])('a unit that is %s is in no file', (_what, rule, of) => {
  expect(parsed(rule, of)).toBeUndefined();
});

test('what cannot be written is named and leaves the others alone', () => {
  const odd = unit('-odd-', ['/dev/x']);
  const climbing = unit('climbs', ['/dev/../x']);
  const spec = cdiSpec(state({ injection: 'cdi' }, [raw, odd, climbing]));
  expect([...spec.units]).toEqual(['adapter-1']);
  expect(spec.problems.get('-odd-')).toBe('-odd- is no name of a CDI device');
  expect(spec.problems.get('climbs')).toContain('contains "." or ".."');
});

test.each(['1a.dev/serial', 'a.dev/1serial', 'a.dev/s', 'a/serial'])('%s is no CDI kind', (name) => {
  expect(problemOfKind(name)).toContain('is no CDI kind');
  expect(cdiSpec(state({ name }, [raw]))).toMatchObject({ possible: false, text: undefined });
  expect(cdiSpec(state({ name, injection: 'cdi' }, [raw])).problems.get('adapter-1')).toContain('is no CDI kind');
});

test('names of files and devices', () => {
  expect(cdiFileName('berth.dev/serial')).toBe('berth-berth.dev_serial.json');
  expect(cdiFileName('a-b.c/d')).not.toBe(cdiFileName('a-b/c-d'));
  const long = cdiFileName(`${'a'.repeat(240)}/${'b'.repeat(63)}`);
  expect(long.length).toBeLessThan(210);
  expect(long).not.toBe(cdiFileName(`${'a'.repeat(240)}/${'b'.repeat(62)}c`));
  expect(cdiDeviceName('berth.dev/serial', 'a', true)).toBe('berth.dev/serial=a');
  expect(cdiDeviceName('berth.dev/serial', 'a', false)).toBe('berth.dev/serial=a:nodes');
});
