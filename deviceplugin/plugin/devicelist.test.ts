import { expect, test } from 'vitest';
import { definitionOf } from '../../protos/load.ts';
import type { ListAndWatchResponse__Output } from '../../protos/types/v1beta1/ListAndWatchResponse.ts';
import type { DeviceList } from './devicelist.ts';
import { deviceList, losesDevices, noDevices, sameList } from './devicelist.ts';
import { state, unit } from './fake/state.ts';
import { createListEncoder } from './listmessage.ts';

const encode = createListEncoder();
/** The list as the kubelet decodes it. */
const read = (list: DeviceList): ListAndWatchResponse__Output['devices'] => {
  const { ListAndWatch } = definitionOf('v1beta1.DevicePlugin');
  return (ListAndWatch!.responseDeserialize(encode(list)) as ListAndWatchResponse__Output).devices;
};

const a = unit('a', ['/dev/a'], { numaNode: 0 });
const b = unit('b', ['/dev/b'], { numaNode: 300, unhealthy: 'is gone from the node', present: false });
const c = unit('c', ['/dev/c']);

test('each replica of a unit is a device, with its health and its place', () => {
  expect(read(deviceList(state({ sharing: { replicas: 2 } }, [a, b, c])))).toEqual([
    { ID: 'a::0', health: 'Healthy', topology: { nodes: [{ ID: '0' }] } },
    { ID: 'a::1', health: 'Healthy', topology: { nodes: [{ ID: '0' }] } },
    { ID: 'b::0', health: 'Unhealthy', topology: { nodes: [{ ID: '300' }] } },
    { ID: 'b::1', health: 'Unhealthy', topology: { nodes: [{ ID: '300' }] } },
    { ID: 'c::0', health: 'Healthy', topology: null },
    { ID: 'c::1', health: 'Healthy', topology: null },
  ]);
});

test('a rule without topology says no place', () => {
  expect(read(deviceList(state({ topology: false }, [a])))[0]).toMatchObject({ topology: null });
});

test('a unit that nobody could be given is unhealthy', () => {
  expect(read(deviceList(state({}, [a, c]), ({ id }) => (id === 'c' ? 'no CDI' : undefined)))).toMatchObject([
    { health: 'Healthy' },
    { health: 'Unhealthy' },
  ]);
});

test('an empty list is an empty message', () => {
  expect(encode(noDevices)).toHaveLength(0);
});

test('the bytes are those of protobufjs, also when units come, go and change', () => {
  const serialize = (list: DeviceList) =>
    definitionOf('v1beta1.DevicePlugin').ListAndWatch!.responseSerialize({ devices: read(list) });
  const wanted = (list: DeviceList): void => {
    expect(encode(list)).toEqual(serialize(list));
  };
  wanted(deviceList(state({ sharing: { replicas: 12 } }, [a, b])));
  wanted(deviceList(state({ sharing: { replicas: 12 } }, [b, c])));
  wanted(deviceList(state({ sharing: { replicas: 12 } }, [{ ...b, unhealthy: undefined }, c])));
  wanted(deviceList(state({ sharing: { replicas: 3 } }, [{ ...b, numaNode: 20_000 }])));
});

test.each([
  ['devices', { devices: 5, bytes: 1e6, id: 63 }, 'a,b', '3 units with 2 replicas each are more'],
  ['bytes', { devices: 100, bytes: 200, id: 63 }, 'a,b', '2 are offered; lower sharing.replicas'],
  ['characters', { devices: 100, bytes: 1e6, id: 3 }, '', '3 units have an ID that is too long'],
])('too many %s: whole units are left out, and a sentence says so', (_what, limits, offered, sentence) => {
  const list = deviceList(state({ sharing: { replicas: 2 } }, [a, b, c]), undefined, limits);
  expect(list.units.map(({ id }) => id).join()).toBe(offered);
  expect(list.leftOut).toContain(sentence);
  expect(encode(list).length).toBeLessThan(limits.bytes);
});

test('the most that is ever offered stays below what the kubelet takes', () => {
  const long = Array.from({ length: 30_000 }, (_, n) =>
    unit(`${'x'.repeat(50)}-${String(n).padStart(5, '0')}`, ['/dev/x'], { numaNode: 1_023, unhealthy: 'is gone' }),
  );
  const list = deviceList(state({}, long));
  expect(list.units).toHaveLength(20_000);
  expect(encode(list).length).toBeLessThan(3.5 * 1024 * 1024);
});

test.each([
  ['the same again', [a, b], {}, true, false],
  ['one more', [a, b, c], {}, false, false],
  ['one gone', [b], {}, false, true],
  ['an unhealthy one gone', [a], {}, false, false],
  ['one turned unhealthy', [{ ...a, unhealthy: 'is broken' }, b], {}, false, true],
  ['one healthy again', [a, { ...b, unhealthy: undefined }], {}, false, false],
  ['fewer replicas', [a, b], { sharing: { replicas: 1 } }, false, true],
  ['more replicas', [a, b], { sharing: { replicas: 3 } }, false, false],
  ['another place', [{ ...a, numaNode: 1 }, b], {}, false, false],
])('%s', (_what, units, rule, same, loses) => {
  const before = deviceList(state({ sharing: { replicas: 2 } }, [a, b]));
  const after = deviceList(state({ sharing: { replicas: 2 }, ...rule }, units));
  expect(sameList(before, after)).toBe(same);
  expect(losesDevices(before, after)).toBe(loses);
});
