import { expect, test } from 'vitest';
import { allocate } from './allocate.ts';
import { node, state, unit } from './fake/state.ts';
import type { CdiReach } from './injection.ts';

const noCdi: CdiReach = { available: false, problemOf: () => 'there is none' };
const cdi: CdiReach = { available: true, problemOf: () => undefined };

const one = unit('a-1', ['/dev/ttyUSB0'], { numaNode: 1 });
const two = unit('b-2', ['/dev/ttyUSB1']);
const gone = unit('c-3', ['/dev/ttyUSB2'], { unhealthy: 'is gone from the node', present: false });
const shared = { sharing: { replicas: 3, maxPerContainer: 2 } };

test('a container gets the nodes of its units, once each, and learns paths, IDs and places', () => {
  expect(allocate(state(shared, [one, two]), ['a-1::0', 'a-1::1', 'b-2::0'], noCdi)).toEqual({
    envs: {
      DEVICES_BERTH_DEV_SERIAL_PATHS: '/dev/ttyUSB0,/dev/ttyUSB1',
      DEVICES_BERTH_DEV_SERIAL_IDS: 'a-1,b-2',
      DEVICES_BERTH_DEV_SERIAL_NUMA: '1,',
    },
    annotations: {},
    devices: [
      { host_path: '/dev/ttyUSB0', container_path: '/dev/ttyUSB0', permissions: 'rw' },
      { host_path: '/dev/ttyUSB1', container_path: '/dev/ttyUSB1', permissions: 'rw' },
    ],
    mounts: [],
    cdi_devices: [],
  });
});

test.each([
  ['x-9::0', 'NOT_FOUND', 'berth.dev/serial: this node has no device "x-9" (any more)'],
  ['c-3::0', 'FAILED_PRECONDITION', 'berth.dev/serial: c-3 (/dev/ttyUSB2) cannot be used: it is gone from the node'],
])('the device %s is refused with %s', (id, code, message) => {
  expect(() => allocate(state({}, [one, gone]), ['a-1::0', id], noCdi)).toThrow(
    expect.objectContaining({ code, message }),
  );
});

test('more replicas of a unit than a container may have are refused with the rule', () => {
  expect(() => allocate(state(shared, [one]), ['a-1::0', 'a-1::1', 'a-1::2'], noCdi)).toThrow(
    expect.objectContaining({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('sharing.maxPerContainer is 2') as string,
    }),
  );
});

const byId = '/dev/serial/by-id/usb-A1';
const tty = node('/dev/ttyUSB0', { links: [byId, '/dev/serial/by-path/pci-1'] });
const usb = { lineage: ['/devices/pci0000:00/usb1/1-2'] };
const serial = { identities: { path: '/dev/ttyUSB0', serial: 'A1' } };

test.each([
  ['a link by ID', 'auto', unit('u', [tty], { ...usb, ...serial }), cdi, byId],
  ['a link by port where the ID is not its own', 'auto', unit('u', [tty], usb), cdi, '/dev/serial/by-path/pci-1'],
  ['CDI where it can be plugged and has no link', 'auto', unit('u', ['/dev/bus/usb/001/004'], usb), cdi, 'cdi'],
  [
    'its path where the runtime knows no CDI',
    'auto',
    unit('u', ['/dev/bus/usb/001/004'], usb),
    { ...cdi, available: false },
    '/dev/bus/usb/001/004',
  ],
  [
    'its path where its CDI file cannot be written',
    'auto',
    unit('u', ['/dev/bus/usb/001/004'], usb),
    { ...cdi, problemOf: () => 'ENOSPC' },
    '/dev/bus/usb/001/004',
  ],
  ['its path where it never moves', 'auto', unit('u', ['/dev/fuse']), cdi, '/dev/fuse'],
  ['a link where the rule says devicespec', 'devicespec', unit('u', [tty], { ...usb, ...serial }), cdi, byId],
  ['CDI where the rule says so', 'cdi', unit('u', [tty], { ...usb, ...serial }), { ...cdi, available: false }, 'cdi'],
])('a device is given by %s', (_what, injection, of, reach, by) => {
  const { devices, cdi_devices: names } = allocate(state({ injection }, [of]), ['u::0'], reach);
  const path = of.members[0]!.node.path;
  if (by === 'cdi') {
    expect(names).toEqual([{ name: 'berth.dev/serial=u' }]);
    expect(devices).toEqual([]);
  } else {
    expect(names).toEqual([]);
    expect(devices).toEqual([{ host_path: by, container_path: path, permissions: 'rw' }]);
  }
});

test('a template with {{index}} never goes by CDI, which knows no other units of the container', () => {
  const rule = { container: { path: '/dev/usb{{index}}' } };
  const units = [unit('a', ['/dev/bus/usb/001/004'], usb), unit('b', ['/dev/bus/usb/001/005'], usb)];
  const { devices, cdi_devices: names } = allocate(state(rule, units), ['a::0', 'b::0'], cdi);
  expect(devices?.map((spec) => spec.container_path)).toEqual(['/dev/usb0', '/dev/usb1']);
  expect(names).toEqual([]);
});

test('by CDI, a unit that is not alone is named without its variables, which are lists then', () => {
  const beside = node('/dev/vfio/vfio');
  const units = ['a', 'b'].map((id) => unit(id, [`/dev/vfio/${id}`], { companions: [beside] }));
  const answer = allocate(state({ injection: 'cdi' }, units), ['a::0', 'b::0'], cdi);
  expect(answer.cdi_devices).toEqual([{ name: 'berth.dev/serial=a:nodes' }, { name: 'berth.dev/serial=b:nodes' }]);
  expect(answer.devices).toEqual([]);
  expect(answer.envs).toMatchObject({ DEVICES_BERTH_DEV_SERIAL_PATHS: '/dev/vfio/a,/dev/vfio/b' });
});

test('a rule that says cdi is refused while its file cannot be written, with the reason', () => {
  const reach = { available: true, problemOf: () => 'its file cannot be written: ENOSPC' };
  expect(() => allocate(state({ injection: 'cdi' }, [one]), ['a-1::0'], reach)).toThrow(
    expect.objectContaining({
      code: 'UNAVAILABLE',
      message: 'berth.dev/serial: a-1 (/dev/ttyUSB0) cannot be given by CDI: its file cannot be written: ENOSPC',
    }),
  );
});

test('mounts go with the nodes: in the answer, or in the CDI file', () => {
  const mounts = [{ hostPath: '/opt/fw', containerPath: '/opt/fw' }];
  const rule = { container: { mounts } };
  expect(allocate(state(rule, [one]), ['a-1::0'], noCdi).mounts).toEqual([
    { host_path: '/opt/fw', container_path: '/opt/fw', read_only: true },
  ]);
  expect(allocate(state({ ...rule, injection: 'cdi' }, [one]), ['a-1::0'], cdi).mounts).toEqual([]);
});
