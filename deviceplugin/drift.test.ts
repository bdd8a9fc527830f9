import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { serve } from '../protos/serve.ts';
import type { GrpcServer } from '../protos/serve.ts';
import { watchDrift } from './drift.ts';
import { state, unit } from './plugin/fake/state.ts';

let rootDir: string;
let kubelet: GrpcServer;
const end = new AbortController();
beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'berth-drift-'));
  await mkdir(join(rootDir, 'pod-resources'));
});
afterEach(async () => {
  end.abort();
  await kubelet.stop();
  await rm(rootDir, { recursive: true });
});

test('a kubelet that has another list than it was sent is seen, and one that has the same', async () => {
  const rule = { sharing: { replicas: 2 } };
  const one = state({ name: 'a.b/one', ...rule }, [unit('u', []), unit('v', [], { unhealthy: 'is off' })]);
  const two = state({ name: 'a.b/two' }, [unit('w', [])]);
  const seen = new Map<string, number>();
  void watchDrift({
    rootDir,
    snapshot: () => new Map([one, two].map((each) => [each.rule.name, each])),
    metrics: { drift: (resource, difference) => seen.set(resource, difference) },
    signal: end.signal,
    everyMs: 1,
  });
  let devices = [{ resource_name: 'c.d/of-others', device_ids: ['x'] }];
  kubelet = await serve({
    path: join(rootDir, 'pod-resources/kubelet.sock'),
    services: { 'v1.PodResourcesLister': { GetAllocatableResources: () => ({ devices }) } },
    log: pino({ enabled: false }),
  });
  await vi.waitFor(
    () => {
      expect(Object.fromEntries(seen)).toEqual({ 'a.b/one': -2, 'a.b/two': -1 });
    },
    { timeout: 20_000 },
  );
  devices = [
    { resource_name: 'a.b/one', device_ids: ['u::0', 'u::1'] },
    // Once for each of its NUMA nodes.
    { resource_name: 'a.b/two', device_ids: ['w::0'] },
    { resource_name: 'a.b/two', device_ids: ['w::0'] },
  ];
  await vi.waitFor(
    () => {
      expect(Object.fromEntries(seen)).toEqual({ 'a.b/one': 0, 'a.b/two': 0 });
    },
    { timeout: 20_000 },
  );
});
