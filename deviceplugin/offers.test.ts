import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Latest } from '../kit/latest.ts';
import { dial } from '../protos/dial.ts';
import { createDeviceMetrics } from './metrics.ts';
import { Offers } from './offers.ts';
import type { Approach } from './plugin/approach.ts';
import { state, unit } from './plugin/fake/state.ts';
import type { ResourceState, Snapshot } from './units/unit.ts';

let directory: string;
let offers: Offers;
let registry: Registry;
const streams: { close(): void }[] = [];
/** What the kubelet was told, in order: the resource, and its healthy devices. */
const heard: string[] = [];

/** A kubelet that takes every socket and listens at once; it is as slow to register as `gate`. */
let gate: Promise<void> = Promise.resolve();
const approach = (): Approach => ({
  directory,
  sign: { directory, read: () => Promise.resolve(undefined) },
  missing: () => Promise.resolve(undefined),
  attempt: (resource) =>
    Promise.resolve({
      services: {},
      waitsFor: () => 'the kubelet is asked',
      ended: () => Promise.resolve(undefined),
      register: async (path) => {
        await gate;
        const plugin = dial('v1beta1.DevicePlugin', path);
        streams.push(plugin);
        heard.push(`${resource} registers`);
        const stream = plugin.ListAndWatch({});
        stream.on('data', ({ devices }: { devices: readonly { ID: string }[] }) => {
          heard.push(`${resource}: ${devices.map(({ ID }) => ID).join()}`);
        });
        stream.on('error', () => heard.push(`${resource} ended`));
        stream.on('end', () => heard.push(`${resource} ended`));
      },
    }),
});

const log = pino({ enabled: false });
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-offers-'));
  gate = Promise.resolve();
  heard.length = 0;
  offers = make(directory);
});
afterEach(async () => {
  await offers.stop(AbortSignal.timeout(1_000));
  for (const stream of streams.splice(0)) stream.close();
  await rm(directory, { recursive: true });
});

function make(folder: string): Offers {
  const cdi = {
    problemOf: () => undefined,
    problems: new Latest<ReadonlyMap<string, string>>(new Map()),
    refresh: () => Promise.resolve(),
    settled: () => Promise.resolve(),
  };
  return new Offers({
    approach: { ...approach(), directory: folder },
    context: { devRoot: '/dev', cdi, cdiAvailable: () => false, allocated: () => undefined },
    log,
    metrics: createDeviceMetrics((registry = new Registry())),
  });
}

const snapshot = (...states: readonly ResourceState[]): Snapshot =>
  new Map(states.map((each) => [each.rule.name, each]));
const one = state({ name: 'a.b/one' }, [unit('u', ['/dev/u'])]);
const two = state({ name: 'a.b/two' }, [unit('v', ['/dev/v'])]);

test('every resource has a session, and one that goes says that it has nothing any more', async () => {
  offers.update(snapshot(one, two));
  expect(offers.notReady()).toContain('a.b/one is not registered with the kubelet');
  await vi.waitFor(
    () => {
      expect(offers.notReady()).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  offers.update(snapshot(two));
  await vi.waitFor(
    () => {
      expect(heard.filter((each) => each.startsWith('a.b/one'))).toEqual([
        'a.b/one registers',
        'a.b/one: u::0',
        'a.b/one: ',
        'a.b/one ended',
      ]);
    },
    { timeout: 20_000 },
  );
  expect(offers.notReady()).toBeUndefined();
});

test('a resource that comes back while it is withdrawn begins when its old session has ended', async () => {
  offers.update(snapshot(one));
  await vi.waitFor(
    () => {
      expect(heard).toContain('a.b/one: u::0');
    },
    { timeout: 20_000 },
  );
  offers.update(snapshot());
  const back = state({ name: 'a.b/one' }, [unit('w', ['/dev/w'])]);
  offers.update(snapshot(back));
  expect(offers.notReady()).toBe('a.b/one is still being withdrawn, and is offered again then');
  await vi.waitFor(
    () => {
      expect(heard).toEqual([
        'a.b/one registers',
        'a.b/one: u::0',
        'a.b/one: ',
        'a.b/one ended',
        'a.b/one registers',
        'a.b/one: w::0',
      ]);
    },
    { timeout: 20_000 },
  );
});

test('nothing is left of a resource that has gone in the metrics', async () => {
  offers.update(snapshot(one));
  await vi.waitFor(
    () => {
      expect(offers.notReady()).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  expect(await registry.metrics()).toContain('resource="a.b/one"');
  offers.update(snapshot());
  await vi.waitFor(
    async () => {
      expect(await registry.metrics()).not.toContain('a.b/one');
    },
    { timeout: 20_000 },
  );
  expect(offers.notReady()).toBeUndefined();
});

test('a resource whose sockets cannot be is told of once, and holds up no other', async () => {
  const told = vi.spyOn(log, 'error');
  const narrow = make(join(directory, 'x'.repeat(100)));
  narrow.update(snapshot(one));
  narrow.update(snapshot(one));
  expect(told).toHaveBeenCalledOnce();
  expect(narrow.notReady()).toContain('a.b/one cannot be offered: socket path');
  narrow.update(snapshot());
  expect(narrow.notReady()).toBeUndefined();
  await narrow.stop(AbortSignal.timeout(1_000));
});

test('the end withdraws nothing: another agent may come', async () => {
  offers.update(snapshot(one));
  await vi.waitFor(
    () => {
      expect(heard).toContain('a.b/one: u::0');
    },
    { timeout: 20_000 },
  );
  await offers.stop(AbortSignal.timeout(1_000));
  await vi.waitFor(
    () => {
      expect(heard).toContain('a.b/one ended');
    },
    { timeout: 20_000 },
  );
  expect(heard).not.toContain('a.b/one: ');
});
