import { expect, test } from 'vitest';
import { devicesSection } from './config.ts';
import type { Inventory } from './inventory.ts';
import { matchDevices, parseResources } from './matching.ts';
import type { Snapshot } from './matching.ts';

function resources(...entries: object[]) {
  return parseResources(devicesSection.parse({ resources: entries }).resources);
}
function inventory(nodes: Record<string, string>, misfits: Inventory['misfits'] = []): Inventory {
  return { nodes: Object.entries(nodes).map(([path, device]) => ({ path, device })), misfits };
}
function paths(snapshot: Snapshot, name: string): string[] {
  return [...snapshot.get(name)!.units.values()].map(
    ({ path, unhealthy }) => (unhealthy === undefined ? '+' : '-') + path,
  );
}

const fuse = { name: 'berth.dev/fuse', paths: ['/dev/fuse'], count: 3 };
const serial = { name: 'berth.dev/serial', paths: ['/dev/serial/by-id/*', '/dev/ttyUSB*'] };

test('each matching device is advertised count times, with IDs of its own', () => {
  const units = [...matchDevices(resources(fuse), inventory({ '/dev/fuse': 'c10:229' })).get('berth.dev/fuse')!.units];
  expect(units.map(([id, { path, containerPath }]) => [id, path, containerPath])).toEqual(
    [0, 1, 2].map((n) => [`fuse-12109236a9969d65::${n}`, '/dev/fuse', '/dev/fuse']),
  );
});

test('a resource without a device is there and empty', () => {
  expect(matchDevices(resources(fuse), inventory({})).get('berth.dev/fuse')?.units.size).toBe(0);
});

test('a device found through two patterns is offered once, by the path of the first', () => {
  const found = inventory({ '/dev/serial/by-id/usb-a': 'c188:0', '/dev/ttyUSB0': 'c188:0', '/dev/ttyUSB1': 'c188:1' });
  expect(paths(matchDevices(resources(serial), found), 'berth.dev/serial')).toEqual([
    '+/dev/serial/by-id/usb-a',
    '+/dev/ttyUSB1',
  ]);
});

test('a device of an earlier resource is not offered by a later one, which says so', () => {
  const snapshot = matchDevices(
    resources(fuse, { name: 'berth.dev/all', paths: ['/dev/*'] }),
    inventory({ '/dev/fuse': 'c10:229', '/dev/null': 'c1:3' }),
  );
  expect(paths(snapshot, 'berth.dev/all')).toEqual(['+/dev/null']);
  expect(snapshot.get('berth.dev/all')?.problems).toEqual(['/dev/fuse belongs to berth.dev/fuse already']);
});

test('a device that goes stays as unhealthy with the same ID, and is healthy when it is back', () => {
  const asked = resources(serial);
  const there = matchDevices(asked, inventory({ '/dev/ttyUSB0': 'c188:0' }));
  const gone = matchDevices(asked, inventory({}), there);
  expect(paths(gone, 'berth.dev/serial')).toEqual(['-/dev/ttyUSB0']);
  expect([...gone.get('berth.dev/serial')!.units.keys()]).toEqual([...there.get('berth.dev/serial')!.units.keys()]);
  expect(matchDevices(asked, inventory({ '/dev/ttyUSB0': 'c188:5' }), gone)).toEqual(there);
});

test('what cannot be offered is named', () => {
  const found = inventory({}, [
    { path: '/dev/fuse', reason: 'is no device node' },
    { path: '/dev/else', reason: 'is no device node' },
  ]);
  expect(matchDevices(resources(fuse), found).get('berth.dev/fuse')?.problems).toEqual(['/dev/fuse is no device node']);
});

test('a container path ending in "/" is a folder', () => {
  const asked = resources({ ...serial, containerPath: '/dev/serial/' });
  const units = matchDevices(asked, inventory({ '/dev/ttyUSB0': 'c188:0' }))
    .get('berth.dev/serial')!
    .units.values();
  expect([...units].map(({ containerPath }) => containerPath)).toEqual(['/dev/serial/ttyUSB0']);
});

test('a list the kubelet could not take is cut, and that is said', () => {
  const many = Object.fromEntries(Array.from({ length: 3 }, (_, n) => [`/dev/ttyUSB${n}`, `c188:${n}`]));
  const state = matchDevices(resources({ ...serial, count: 10_000 }), inventory(many)).get('berth.dev/serial')!;
  expect(state.units.size).toBe(20_000);
  expect(state.problems[0]).toContain('30000 devices are more than the 20000');
});
