import { pino } from 'pino';
import { expect, test } from 'vitest';
import { EventRecorder } from './eventrecorder.ts';
import type { Happening } from './happenings.ts';

const { signal } = new AbortController();

function recorder(): { tell: (note: string) => Promise<void>; made: [string, object][]; clock: { now: number } } {
  const made: [string, object][] = [];
  const clock = { now: Date.UTC(2026, 0, 1) };
  const create = (path: string, object: object): Promise<Record<string, unknown>> => {
    made.push([path, object]);
    return Promise.resolve({});
  };
  const events = new EventRecorder({
    client: { create },
    nodeName: 'a',
    log: pino({ level: 'silent' }),
    now: () => clock.now,
  });
  const tell = async (note: string): Promise<void> => {
    const regarding = { kind: 'Pod', namespace: 'shop', name: 'till' } as const;
    const happening: Happening = { regarding, type: 'Warning', reason: 'DeviceUnhealthy', action: 'WatchDevice', note };
    await events.record(happening, signal);
  };
  return { tell, made, clock };
}

test('an event is what events.k8s.io asks for, in the namespace of what it is about', async () => {
  const { tell, made } = recorder();
  await tell('its device is ill'.padEnd(3_000, '!'));
  expect(made).toEqual([
    [
      '/apis/events.k8s.io/v1/namespaces/shop/events',
      {
        ...{ apiVersion: 'events.k8s.io/v1', kind: 'Event' },
        metadata: { name: expect.stringMatching(/^till\.[0-9a-f]{16}$/) as string, namespace: 'shop' },
        ...{ eventTime: '2026-01-01T00:00:00.000000Z', type: 'Warning', reason: 'DeviceUnhealthy' },
        ...{ action: 'WatchDevice', note: 'its device is ill'.padEnd(1_024, '!') },
        ...{ reportingController: 'berth.dev/agent', reportingInstance: 'a' },
        regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'till' },
      },
    ],
  ]);
});

test('the same cause is told once an hour', async () => {
  const { tell, made, clock } = recorder();
  await tell('one');
  await tell('one');
  await tell('another');
  clock.now += 3_599_000;
  await tell('one');
  expect(made).toHaveLength(2);
  clock.now += 1_000;
  await tell('one');
  expect(made).toHaveLength(3);
});

test('a node that goes to pieces tells of 25 at once and three a minute', async () => {
  const { tell, made, clock } = recorder();
  for (let index = 0; index < 100; index++) await tell(`first ${index}`);
  expect(made).toHaveLength(25);
  clock.now += 60_000;
  for (let index = 0; index < 100; index++) await tell(`later ${index}`);
  expect(made).toHaveLength(28);
});
