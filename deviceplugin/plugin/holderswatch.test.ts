import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../../kit/errors.ts';
import { createLogger } from '../../kit/log.ts';
import { serve } from '../../protos/serve.ts';
import type { GrpcServer } from '../../protos/serve.ts';
import { untilNext, watchHolders } from './holderswatch.ts';
import type { HoldersWatch } from './holderswatch.ts';

const log = createLogger('error', { write: () => undefined });
let rootDir = '';
let kubelet: GrpcServer | undefined;
let watch: HoldersWatch | undefined;
beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'berth-pr-'));
  await mkdir(join(rootDir, 'pod-resources'));
});
afterEach(async () => {
  await watch?.stop();
  await kubelet?.stop();
  await rm(rootDir, { recursive: true });
});

const resource = 'berth.dev/serial';
let answer: () => string[] = () => [];
async function startKubelet(): Promise<void> {
  kubelet = await serve({
    path: join(rootDir, 'pod-resources/kubelet.sock'),
    log,
    services: {
      'v1.PodResourcesLister': {
        List: () => ({
          pod_resources: [
            {
              name: 'p',
              namespace: 'n',
              containers: [{ name: 'c', devices: [{ resource_name: resource, device_ids: answer() }] }],
            },
          ],
        }),
      },
    },
  });
}
const idsOf = (): string[] => [...(watch?.latest.value?.get(resource)?.keys() ?? [])];

const timing = { everyMs: 30_000, soonMs: 200, leastMs: 1_000 };
test.each([
  ['nothing happens', false, 0, 30_000],
  ['something was allocated', true, 0, 1_000],
  ['the kubelet fails', false, 1, 1_000],
  ['the kubelet fails, and something was allocated', true, 5, 5_000],
  ['the kubelet fails for long', false, 99, 10_000],
])('when %s the next question comes after its time', (_what, wanted, failures, ms) => {
  expect(untilNext(timing, wanted, failures, () => 0.5)).toBe(ms);
});

test('the first answer is asked for at once, and the next after an allocation', async () => {
  answer = () => ['a::0'];
  await startKubelet();
  watch = watchHolders({ rootDir, log, timing: { everyMs: 3_600_000, soonMs: 1, leastMs: 1 } });
  await watch.latest.changed;
  expect(idsOf()).toEqual(['a::0']);
  answer = () => ['a::0', 'b::0'];
  watch.allocated();
  await watch.latest.changed;
  expect(idsOf()).toEqual(['a::0', 'b::0']);
});

test('a kubelet that is away or has had enough keeps its last answer, and is asked again', async () => {
  watch = watchHolders({ rootDir, log, timing: { everyMs: 1, soonMs: 1, leastMs: 1 } });
  expect(watch.latest.value).toBeUndefined();
  answer = () => ['a::0'];
  await startKubelet();
  await watch.latest.changed;
  let refused = 0;
  const again = Promise.withResolvers<undefined>();
  answer = () => {
    if (refused++ === 1) again.resolve(undefined);
    throw new BerthError('RESOURCE_EXHAUSTED', 'rejected by rate limit');
  };
  await again.promise;
  expect(idsOf()).toEqual(['a::0']);
  answer = () => ['c::0'];
  await watch.latest.changed;
  expect(idsOf()).toEqual(['c::0']);
});
