import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { NetworkCondition } from './networkcondition.ts';

interface Written {
  readonly path: string;
  readonly status: string;
  readonly message: string;
}

const running: NetworkCondition[] = [];
afterEach(async () => {
  for (const condition of running.splice(0)) await condition.stop();
});

function start(
  notReady: () => string | undefined,
  patienceMs = 0,
): { written: Written[]; refuse: (on: boolean) => void } {
  const written: Written[] = [];
  let refused = false;
  const condition = new NetworkCondition({
    client: {
      patch: (path, patch) => {
        if (refused) return Promise.reject(new Error('the API is away'));
        const { status } = patch as { status: { conditions: { type: string; status: string; message: string }[] } };
        const [first] = status.conditions;
        if (first?.type === 'NetworkUnavailable') written.push({ path, status: first.status, message: first.message });
        return Promise.resolve({});
      },
    },
    nodeName: 'node/1',
    notReady,
    log: createLogger('error'),
    everyMs: 5,
    patienceMs,
  });
  condition.start();
  running.push(condition);
  return {
    written,
    refuse: (on) => {
      refused = on;
    },
  };
}

test('it is written when something changes, and not again', async () => {
  let reason: string | undefined;
  const { written } = start(() => reason);
  await vi.waitUntil(() => written.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(written).toEqual([
    { path: '/api/v1/nodes/node%2F1/status', status: 'False', message: 'Berth serves the pod network' },
  ]);
  reason = 'the pool is used up';
  await vi.waitUntil(() => written.length === 2);
  expect(written[1]).toMatchObject({ status: 'True', message: 'the pool is used up' });
  reason = undefined;
  await vi.waitUntil(() => written.length === 3);
  expect(written[2]?.status).toBe('False');
});

test('an agent that is just starting says nothing', async () => {
  let reason: string | undefined = 'is starting';
  const { written } = start(() => reason, 60_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(written).toEqual([]);
  reason = undefined;
  await vi.waitUntil(() => written.length === 1);
  expect(written[0]?.status).toBe('False');
});

test('what could not be written is written when the API is back', async () => {
  const { written, refuse } = start(() => undefined);
  refuse(true);
  await vi.waitUntil(() => written.length <= 1);
  refuse(false);
  await vi.waitUntil(() => written.length === 1);
});
