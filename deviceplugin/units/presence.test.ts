import { expect, test } from 'vitest';
import { resource } from '../config/resource.ts';
import type { Inventory, SysDevice } from '../inventory/inventory.ts';
import { present } from './presence.ts';
import type { PresenceInput } from './presence.ts';
import type { FoundUnit, ResourceState } from './unit.ts';

const rule = resource.parse({ name: 'a.b/port', paths: ['/dev/port*'], health: { removalGraceSeconds: 60 } });

function unit(path: string, over: Partial<FoundUnit> = {}): FoundUnit {
  const node = { number: `c240:${path.length}`, path, links: [], device: `/devices/${path}` };
  return {
    members: [{ role: 'device', node }],
    companions: [],
    identities: { path },
    numaNode: undefined,
    lineage: [],
    ...over,
  };
}

function device(devpath: string, driver: string | undefined): SysDevice {
  return {
    devpath,
    name: devpath,
    subsystem: 'tty',
    devtype: undefined,
    driver,
    modalias: undefined,
    number: undefined,
    parent: undefined,
    numaNode: undefined,
    iommuGroup: undefined,
    physicalFunction: undefined,
    attributes: {},
    udev: {},
  };
}

const empty: Inventory = { devices: new Map(), nodes: new Map(), misfits: [], inUse: new Map() };

function input(over: Partial<PresenceInput>): PresenceInput {
  return {
    rule,
    inventory: empty,
    found: new Map(),
    problems: [],
    before: undefined,
    awaySince: new Map(),
    held: [],
    isHeld: () => false,
    problemOf: () => undefined,
    now: 0,
    ...over,
  };
}

const healthOf = ({ units }: ResourceState): Record<string, string | undefined> =>
  Object.fromEntries([...units].map(([id, { unhealthy }]) => [id, unhealthy]));

const one = present(input({ found: new Map([['one', unit('/dev/port1')]]) }));

test('what is there is healthy, unless a probe says otherwise', () => {
  expect(healthOf(one.state)).toEqual({ one: undefined });
  const probed = present(input({ found: new Map([['one', unit('/dev/port1')]]), problemOf: () => 'is off' }));
  expect(healthOf(probed.state)).toEqual({ one: 'is off' });
});

test('what is gone stays unhealthy for its time of grace, and then goes', () => {
  const gone = present(input({ before: one.state, now: 1_000 }));
  expect(healthOf(gone.state)).toEqual({ one: 'is gone from the node' });
  expect(gone.state.units.get('one')).toMatchObject({ present: false, identities: { path: '/dev/port1' } });
  const later = present(input({ before: gone.state, awaySince: gone.awaySince, now: 60_999 }));
  expect(later.state.units.size).toBe(1);
  const over = present(input({ before: later.state, awaySince: later.awaySince, now: 61_000 }));
  expect(over.state.units.size).toBe(0);
});

test('what a pod has stays for as long as the pod has it', () => {
  const gone = present(input({ before: one.state, now: 0, isHeld: () => true }));
  const later = present(input({ before: gone.state, awaySince: gone.awaySince, now: 1e9, isHeld: () => true }));
  expect(healthOf(later.state)).toEqual({ one: 'is gone from the node' });
  const freed = present(input({ before: later.state, awaySince: later.awaySince, now: 1e9 }));
  expect(freed.state.units.size).toBe(0);
});

test('what comes back is healthy at once, and its grace begins anew when it goes again', () => {
  const gone = present(input({ before: one.state, now: 0 }));
  const found = new Map([['one', unit('/dev/port1')]]);
  const back = present(input({ before: gone.state, awaySince: gone.awaySince, found, now: 50_000 }));
  expect(healthOf(back.state)).toEqual({ one: undefined });
  const again = present(input({ before: back.state, awaySince: back.awaySince, now: 70_000 }));
  expect(again.awaySince.get('one')).toBe(70_000);
});

test('a unit of which nothing has changed is the very same object', () => {
  const again = present(input({ before: one.state, found: new Map([['one', unit('/dev/port1')]]) }));
  expect(again.state).toBe(one.state);
  const moved = present(input({ before: one.state, found: new Map([['one', unit('/dev/port22')]]) }));
  expect(moved.state.units.get('one')).not.toBe(one.state.units.get('one'));
});

test.each<[string | undefined, string | undefined]>([
  ['cp210x', undefined],
  ['cp2101', undefined],
  ['ftdi_sio', 'has no driver cp21* (ftdi_sio)'],
  [undefined, 'has no driver cp21* (none is bound)'],
])('with the driver %s a rule that wants cp21* says %s', (driver, expected) => {
  const wants = resource.parse({ name: 'a.b/port', paths: ['/dev/port*'], health: { driver: 'cp21*' } });
  const devpath = '/devices//dev/port1';
  const inventory = { ...empty, devices: new Map([[devpath, device(devpath, driver)]]) };
  const { state } = present(input({ rule: wants, inventory, found: new Map([['one', unit('/dev/port1')]]) }));
  expect(healthOf(state)).toEqual({ one: expected });
});
