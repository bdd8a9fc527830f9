// A freeze that takes longer than pods may stand still.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { whileFrozen } from './freezing.ts';
import { NodeState } from './nodestate.ts';
import { newObjectId } from './objectid.ts';
import type { PoolParts } from './poolparts.ts';
import type { VolumeRecord } from './volume.ts';

test('is given up, and the volume is thawed also when the kernel freezes it after that', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bf-'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(async () => {
    vi.useRealTimers();
    await rm(folder, { recursive: true });
  });
  const nodeState = new NodeState(folder);
  await nodeState.load();
  const volume = { id: newObjectId('volume', '399612c1', Date.now()), mutable: {} } as VolumeRecord;
  const kernel = { frozen: false, hurried: false };
  const frozen = Promise.withResolvers<undefined>();
  const thawed = Promise.withResolvers<undefined>();
  const engine = {
    offers: { copies: 'shared' },
    freeze: async () => {
      await frozen.promise;
      kernel.frozen = true;
      return true;
    },
    // As of one that is not frozen yet: nothing happens.
    thaw: () => {
      kernel.frozen = false;
      thawed.resolve(undefined);
      return Promise.resolve();
    },
  };
  const gracePeriods = {
    areLong: () => !kernel.hurried,
    hurry: () => void (kernel.hurried = true),
    relax: () => void (kernel.hurried = false),
  };
  const rest = { log: pino({ level: 'silent' }), onFrozen: () => undefined, atPoint: () => undefined };
  const parts = { engine, nodeState, gracePeriods, ...rest } as unknown as PoolParts;
  const work = vi.fn(() => Promise.resolve());
  const result = whileFrozen([volume], parts, work).catch((error: unknown) => error);
  await vi.waitUntil(() => kernel.hurried);
  await vi.advanceTimersByTimeAsync(20_000);
  await thawed.promise;
  expect(kernel.hurried).toBe(false);
  frozen.resolve(undefined);
  expect(await result).toMatchObject({ code: 'TIMED_OUT' });
  expect(work).not.toHaveBeenCalled();
  expect([kernel.frozen, nodeState.of(volume.id).frozen ?? false]).toEqual([false, false]);
});
