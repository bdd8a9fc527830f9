import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { NetworkCondition } from './networkcondition.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

/** A Node of the API, as far as its conditions go. */
class Node {
  conditions: Condition[] = [];
  away = false;
  refused = 0;
  patches = 0;

  get(path: string): Promise<object> {
    if (path !== '/api/v1/nodes/node%2F1') throw new Error(path);
    if (!this.away) return Promise.resolve({ status: { conditions: this.conditions } });
    this.refused++;
    return Promise.reject(new Error('the API is away'));
  }

  patch(path: string, patch: object): Promise<object> {
    if (path !== '/api/v1/nodes/node%2F1/status') throw new Error(path);
    this.patches++;
    this.conditions = (patch as { status: { conditions: Condition[] } }).status.conditions;
    return Promise.resolve({});
  }
}

const running: NetworkCondition[] = [];
afterEach(async () => {
  for (const condition of running.splice(0)) await condition.stop();
});

function start(node: Node, notReady: () => string | undefined, patienceMs = 0, recheckMs = 60_000): NetworkCondition {
  const condition = new NetworkCondition({
    client: {
      get: (path) => node.get(path) as Promise<Record<string, unknown>>,
      patch: (path, patch) => node.patch(path, patch) as Promise<Record<string, unknown>>,
    },
    nodeName: 'node/1',
    notReady,
    log: createLogger('error'),
    everyMs: 5,
    patienceMs,
    recheckMs,
  });
  condition.start();
  running.push(condition);
  return condition;
}

async function says(node: Node, status: string): Promise<Condition> {
  return await vi.waitUntil(() => node.conditions.find((condition) => condition.status === status), {
    timeout: 20_000,
    interval: 5,
  });
}

test('it is written when something changes, and an agent that starts anew finds it said', async () => {
  const node = new Node();
  let reason: string | undefined;
  const first = start(node, () => reason);
  expect(await says(node, 'False')).toMatchObject({
    type: 'NetworkUnavailable',
    message: 'Berth serves the pod network',
  });
  reason = 'the pool is used up';
  expect(await says(node, 'True')).toMatchObject({ message: 'the pool is used up' });
  reason = undefined;
  await says(node, 'False');
  expect(node.patches).toBe(3);
  await first.stop();
  let looks = 0;
  start(node, () => {
    looks++;
    return undefined;
  });
  await vi.waitUntil(() => looks > 5, { timeout: 20_000 });
  expect(node.patches).toBe(3);
});

test('another reason for the same keeps the time since when it has been so', async () => {
  const node = new Node();
  let reason = 'one thing';
  start(node, () => reason);
  const { lastTransitionTime } = await says(node, 'True');
  reason = 'another thing';
  await vi.waitUntil(() => node.conditions[0]?.message === 'another thing', { timeout: 20_000 });
  expect(node.conditions[0]?.lastTransitionTime).toBe(lastTransitionTime);
});

test('an agent that is just starting says nothing', async () => {
  const node = new Node();
  let reason: string | undefined = 'is starting';
  let looks = 0;
  start(
    node,
    () => {
      looks++;
      return reason;
    },
    60_000,
  );
  await vi.waitUntil(() => looks > 5, { timeout: 20_000 });
  expect(node.patches).toBe(0);
  reason = undefined;
  await says(node, 'False');
});

test('what could not be written is written when the API is back, and again on a Node that was made anew', async () => {
  const node = new Node();
  node.away = true;
  start(node, () => undefined, 0, 0);
  await vi.waitUntil(() => node.refused > 2, { timeout: 20_000 });
  expect(node.patches).toBe(0);
  node.away = false;
  await says(node, 'False');
  node.conditions = [];
  await says(node, 'False');
  expect(node.patches).toBe(2);
});
