import { expect, test, vi } from 'vitest';
import { Catalogue, subjectsOf } from './catalogue.ts';
import { inventoryOf } from './fake/inventoryof.ts';
import { recorded } from './fake/recorded.ts';
import { rulesOf, surroundings } from './fake/surroundings.ts';
import { HeldUnits } from './heldunits.ts';
import type { Snapshot } from './units/unit.ts';
import { unitId } from './units/unitid.ts';

const serial = { name: 'a.b/serial', match: [{ subsystem: 'tty' }] };
const plugged = inventoryOf([...recorded.usbSerial('1-2', { serial: 'S1x' })]);
const unplugged = inventoryOf([]);
const healthOf = (snapshot: Snapshot): Record<string, string | undefined> =>
  Object.fromEntries(
    [...snapshot.values()].flatMap(({ units }) => [...units].map(([id, each]) => [id, each.unhealthy])),
  );

test('where nothing has changed the snapshot is the very same one, so that nobody need look', () => {
  const catalogue = new Catalogue(new Map());
  const rules = rulesOf(serial);
  const first = catalogue.update(surroundings(rules, plugged));
  expect([...(first.get('a.b/serial')?.units.values() ?? [])]).toMatchObject([{ present: true }]);
  expect(catalogue.update(surroundings(rules, plugged, { now: 5 }))).toBe(first);
  // The same hardware read anew.
  expect(catalogue.update(surroundings(rules, structuredClone(plugged)))).toBe(first);
  expect(catalogue.update(surroundings(rulesOf(), plugged)).size).toBe(0);
});

test('health and holders lead to no new search of thousands of devices', () => {
  const catalogue = new Catalogue(new Map());
  const values = vi.spyOn(plugged.nodes, 'values');
  const rules = rulesOf(serial);
  catalogue.update(surroundings(rules, plugged));
  const searches = values.mock.calls.length;
  const sick = catalogue.update(surroundings(rules, plugged, { problemOf: () => 'is off' }));
  expect(Object.values(healthOf(sick))).toEqual(['is off']);
  expect(values.mock.calls.length).toBe(searches);
});

test('a unit that goes is looked at again when its time is over, and then forgotten', () => {
  const catalogue = new Catalogue(new Map());
  const rules = rulesOf(serial);
  catalogue.update(surroundings(rules, plugged));
  expect(catalogue.nextRemoval(0)).toBeUndefined();
  const gone = catalogue.update(surroundings(rules, unplugged, { now: 1_000 }));
  expect(Object.values(healthOf(gone))).toEqual(['is gone from the node']);
  expect(catalogue.nextRemoval(1_000)).toBe(60_000);
  expect(healthOf(catalogue.update(surroundings(rules, unplugged, { now: 61_000 })))).toEqual({});
  expect(catalogue.nextRemoval(61_000)).toBeUndefined();
});

test('what a pod has is unhealthy and not unknown when it was pulled before the agent began, and itself when it is back', () => {
  const before = new Catalogue(new Map());
  const rules = rulesOf(serial);
  const [id = ''] = before.update(surroundings(rules, plugged)).get('a.b/serial')?.units.keys() ?? [];
  const held = new HeldUnits(
    new Map([
      [
        'a.b/serial',
        new Map([
          [`${id}::0`, [{ namespace: 'n', pod: 'p', container: 'c' }]],
          ['of-another-plugin', [{ namespace: 'n', pod: 'q', container: 'c' }]],
        ]),
      ],
      ['a.b/else', new Map([[`${unitId('path', '/dev/x')}::0`, []]])],
    ]),
  );
  const catalogue = new Catalogue(before.memory);
  const away = catalogue.update(surroundings(rules, unplugged, { held }));
  expect(healthOf(away)).toEqual({ [id]: 'is gone from the node' });
  expect(catalogue.update(surroundings(rules, unplugged, { held, now: 1e9 }))).toBe(away);
  expect(healthOf(catalogue.update(surroundings(rules, plugged, { held, now: 1e9 })))).toEqual({ [id]: undefined });
  catalogue.update(surroundings(rules, unplugged, { held, now: 2e9 }));
  expect(healthOf(catalogue.update(surroundings(rules, unplugged, { now: 3e9 })))).toEqual({});
});

test('only what is there is probed, of rules that ask for it, at all places from the node up', () => {
  const catalogue = new Catalogue(new Map());
  const rules = rulesOf({ ...serial, health: { open: 'rw' } });
  const [subject, ...more] = subjectsOf(catalogue.update(surroundings(rules, plugged)), plugged);
  expect(more).toEqual([]);
  expect(subject).toMatchObject({ rule: { open: 'rw' }, subject: { resource: 'a.b/serial', paths: ['/dev/ttyUSB0'] } });
  expect(subject?.subject.devpaths[0]).toMatch(/\/tty\/ttyUSB0$/);
  expect(subject?.subject.devpaths).toContain('/devices/pci0000:00/0000:00:14.0');
  expect(subjectsOf(catalogue.update(surroundings(rules, unplugged)), unplugged)).toEqual([]);
  expect(subjectsOf(catalogue.update(surroundings(rulesOf(serial), plugged)), plugged)).toEqual([]);
});
