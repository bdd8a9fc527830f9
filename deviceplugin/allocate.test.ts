import { expect, test } from 'vitest';
import { allocate } from './allocate.ts';
import type { ResourceState } from './matching.ts';

const serial: ResourceState = {
  name: 'berth.dev/serial',
  permissions: 'rw',
  problems: [],
  units: new Map(
    [
      { id: 'a::0', path: '/dev/ttyUSB0', containerPath: '/dev/ttyUSB0', unhealthy: undefined },
      { id: 'a::1', path: '/dev/ttyUSB0', containerPath: '/dev/ttyUSB0', unhealthy: undefined },
      { id: 'b::0', path: '/dev/ttyUSB1', containerPath: '/dev/modem', unhealthy: undefined },
      { id: 'd::0', path: '/dev/modems/1', containerPath: '/dev/modem', unhealthy: undefined },
      { id: 'c::0', path: '/dev/ttyUSB2', containerPath: '/dev/ttyUSB2', unhealthy: 'it is gone from the node' },
    ].map((unit) => [unit.id, unit]),
  ),
};

test('a container gets the nodes of its devices, once each, and learns their paths and IDs', () => {
  expect(allocate(serial, ['a::0', 'a::1', 'b::0'])).toEqual({
    envs: {
      DEVICES_BERTH_DEV_SERIAL_PATHS: '/dev/ttyUSB0,/dev/modem',
      DEVICES_BERTH_DEV_SERIAL_IDS: 'a::0,a::1,b::0',
    },
    devices: [
      { host_path: '/dev/ttyUSB0', container_path: '/dev/ttyUSB0', permissions: 'rw' },
      { host_path: '/dev/ttyUSB1', container_path: '/dev/modem', permissions: 'rw' },
    ],
  });
});

test('two devices that would lie at one path in the container are refused, for one would hide the other', () => {
  expect(() => allocate(serial, ['b::0', 'd::0'])).toThrow(
    expect.objectContaining({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('/dev/ttyUSB1 and /dev/modems/1 would both be /dev/modem') as string,
    }),
  );
});

test.each([
  ['x::0', 'NOT_FOUND', 'berth.dev/serial: this node has no device "x::0" (any more)'],
  ['c::0', 'FAILED_PRECONDITION', 'berth.dev/serial: /dev/ttyUSB2 cannot be used: it is gone from the node'],
])('the device %s is refused with %s', (id, code, message) => {
  expect(() => allocate(serial, ['a::0', id])).toThrow(expect.objectContaining({ code, message }));
});
