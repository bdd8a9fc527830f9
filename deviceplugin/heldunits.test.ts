import { expect, test } from 'vitest';
import { HeldUnits } from './heldunits.ts';
import { unitId } from './units/unitid.ts';

const port = unitId('port', '1-2');
const holder = (pod: string) => ({ namespace: 'n', pod, container: 'c' });

test('nobody knows who holds what until the kubelet has said it, so anything may be held', () => {
  const held = new HeldUnits(undefined);
  expect(held.isHeld('a.b/c', port)).toBe(true);
  expect(held.of('a.b/c', port)).toEqual([]);
  expect(held.idsOf('a.b/c')).toEqual([]);
});

test('a unit is held by the holders of all its replicas, in its own resource only', () => {
  const held = new HeldUnits(
    new Map([
      [
        'a.b/c',
        new Map([
          [`${port}::0`, [holder('one')]],
          [`${port}::7`, [holder('two'), holder('three')]],
          ['fuse', [holder('of another plugin')]],
        ]),
      ],
    ]),
  );
  expect(held.of('a.b/c', port).map(({ pod }) => pod)).toEqual(['one', 'two', 'three']);
  expect(held.isHeld('a.b/c', port)).toBe(true);
  expect(held.isHeld('a.b/d', port)).toBe(false);
  expect(held.isHeld('a.b/c', 'other')).toBe(false);
  expect(held.idsOf('a.b/c')).toEqual([port]);
});
