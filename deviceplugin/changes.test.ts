import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { reportChanges } from './changes.ts';
import { createDeviceMetrics } from './metrics.ts';
import { state, unit } from './plugin/fake/state.ts';
import type { ResourceState, Unit } from './units/unit.ts';

interface Line {
  readonly event: string;
  readonly units?: readonly string[] | number;
  readonly count?: number;
}

/** What is told of the way from one state to another: lines of the log, and how often units changed. */
async function told(before: ResourceState | undefined, after: ResourceState | undefined) {
  const lines: Line[] = [];
  const log = pino({}, { write: (text: string) => lines.push(JSON.parse(text) as Line) });
  const registry = new Registry();
  const snapshot = (of: ResourceState | undefined) =>
    new Map(of === undefined ? [] : [['berth.dev/serial', of] as const]);
  reportChanges(snapshot(before), snapshot(after), log, createDeviceMetrics(registry));
  const { values } = await registry.getSingleMetric('berth_device_health_transitions_total')!.get();
  const counts = values.map(({ labels, value }): [string, number] => [String(labels['to']), value]);
  return { lines, counts: Object.fromEntries(counts) };
}

const well = unit('port', ['/dev/port']);
const sick: Unit = { ...well, unhealthy: 'has temp "71000", more than 70000' };
const away: Unit = { ...well, present: false, unhealthy: 'is gone from the node' };
const unknown: Unit = { ...well, unhealthy: 'was not probed yet' };

test.each<[string, Unit | undefined, Unit, readonly string[], object]>([
  ['comes', undefined, well, ['device.changed'], {}],
  ['comes and is sick', undefined, sick, ['device.unhealthy', 'device.changed'], {}],
  ['comes and was not probed yet', undefined, unknown, ['device.changed'], {}],
  ['is well at its first probe', unknown, well, [], {}],
  ['is sick at its first probe', unknown, sick, ['device.unhealthy'], {}],
  ['becomes sick', well, sick, ['device.unhealthy'], { unhealthy: 1 }],
  ['is pulled', well, away, ['device.unhealthy'], { unhealthy: 1 }],
  ['is pulled when it was sick', sick, away, ['device.unhealthy'], {}],
  ['is plugged in again', away, well, ['device.healthy'], { healthy: 1 }],
  ['is well again', sick, well, ['device.healthy'], { healthy: 1 }],
  ['is as sick, with another value', sick, { ...sick, unhealthy: 'has temp "72000", more than 70000' }, [], {}],
])('a unit that %s', async (_what, before, after, events, counts) => {
  const found = await told(state({}, before === undefined ? [] : [before]), state({}, [after]));
  expect(found.lines.map(({ event }) => event)).toEqual(events);
  expect(found.counts).toEqual(counts);
});

test('of ten thousand that change at once twenty are named', async () => {
  const all = Array.from({ length: 10_000 }, (_, index) => unit(`port-${index}`, []));
  const { lines } = await told(
    state({}, all),
    state(
      {},
      all.map((each) => ({ ...each, unhealthy: 'is off' })),
    ),
  );
  expect(lines).toMatchObject([{ event: 'device.unhealthy', count: 10_000 }]);
  expect(lines[0]?.units).toHaveLength(20);
});

test('a new resource, one that goes, and what is wrong with one are told of', async () => {
  const events = async (before: ResourceState | undefined, after: ResourceState | undefined) =>
    (await told(before, after)).lines.map(({ event }) => event);
  expect(await events(undefined, state({}, []))).toEqual(['device.changed']);
  expect(await events(state({}, []), undefined)).toEqual(['device.resource_removed']);
  const wrong = { ...state({}, []), problems: ['/dev/x belongs to a.b/c already'] };
  expect(await events(state({}, []), wrong)).toEqual(['device.problems']);
  expect(await events(wrong, { ...wrong })).toEqual([]);
});
