import { expect, test } from 'vitest';
import type { PodResources__Output } from '../../protos/types/v1/PodResources.ts';
import { state, unit } from './fake/state.ts';
import { conflictsOf, holdersOf, sameHolders, unitsInUse } from './holders.ts';

type Devices = Readonly<Record<string, readonly string[]>>;
function pod(name: string, containers: Readonly<Record<string, Devices>>): PodResources__Output {
  return {
    name,
    namespace: 'default',
    cpu_ids: [],
    memory: [],
    containers: Object.entries(containers).map(([container, devices]) => ({
      name: container,
      cpu_ids: [],
      memory: [],
      dynamic_resources: [],
      devices: Object.entries(devices).map(([resource_name, ids]) => ({
        resource_name,
        device_ids: [...ids],
        topology: null,
      })),
    })),
  };
}

const serial = 'berth.dev/serial';
const snapshot = new Map([[serial, state({ sharing: { replicas: 2 } }, [unit('a', []), unit('b', [])])]]);

test('holders are found by device, and by unit', () => {
  const holders = holdersOf([
    pod('p', { c: { [serial]: ['a::0', 'b::1'], 'x/y': ['z'] } }),
    pod('q', { d: { [serial]: ['a::1'] } }),
  ]);
  expect(holders.get(serial)?.get('b::1')).toEqual([{ namespace: 'default', pod: 'p', container: 'c' }]);
  expect(unitsInUse(holders, snapshot)).toEqual(new Map([[serial, 2]]));
});

test('a device of two NUMA nodes, which the kubelet lists twice, has one holder', () => {
  const one = pod('p', { c: { [serial]: ['a::0'] } });
  const twice = {
    ...one,
    containers: one.containers.map((each) => ({ ...each, devices: [...each.devices, ...each.devices] })),
  };
  expect(holdersOf([twice]).get(serial)?.get('a::0')).toHaveLength(1);
});

test('answers are compared by what they say', () => {
  const answer = () => holdersOf([pod('p', { c: { [serial]: ['a::0'] } })]);
  expect(sameHolders(answer(), answer())).toBe(true);
  expect(sameHolders(answer(), holdersOf([]))).toBe(false);
  expect(sameHolders(undefined, holdersOf([]))).toBe(false);
});

test('the order in which the kubelet tells pods, resources and devices means nothing', () => {
  const [p, q] = [
    { c: { [serial]: ['a::0', 'b::0'], 'x/y': ['z'] }, d: { [serial]: ['b::1'] } },
    { c: { [serial]: ['a::0'] } },
  ];
  const turned = { c: { 'x/y': ['z'], [serial]: ['b::0', 'a::0'] }, d: { [serial]: ['b::1'] } };
  const one = holdersOf([pod('p', p), pod('q', q)]);
  expect(
    one
      .get(serial)
      ?.get('a::0')
      ?.map((holder) => holder.pod),
  ).toEqual(['p', 'q']);
  expect(sameHolders(one, holdersOf([pod('q', q), pod('p', turned)]))).toBe(true);
});

test.each([
  [
    'replicas of one unit in two pods',
    [pod('p', { c: { [serial]: ['a::0'] } }), pod('q', { c: { [serial]: ['a::1'] } })],
    [],
  ],
  ['a device handed on within a pod', [pod('p', { init: { [serial]: ['a::0'] }, c: { [serial]: ['a::0'] } })], []],
  [
    'one device in two pods',
    [pod('p', { c: { [serial]: ['a::0'] } }), pod('q', { c: { [serial]: ['a::0'] } })],
    ['berth.dev/serial: the kubelet gave a::0 to default/p and default/q'],
  ],
  [
    'more pods than replicas',
    ['p', 'q', 'r'].map((name, n) => pod(name, { c: { [serial]: [`a::${n}`] } })),
    ['berth.dev/serial: 3 pods have a, and sharing.replicas is 2: default/p, default/q, default/r'],
  ],
  ['devices of other plugins', ['p', 'q'].map((name) => pod(name, { c: { 'x/y': ['z'] } })), []],
])('%s', (_what, pods, sentences) => {
  expect(conflictsOf(holdersOf(pods), snapshot)).toEqual(sentences);
});
