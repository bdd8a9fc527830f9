// Following the Nodes from a real HTTP server that cuts, forgets, mutters and falls silent.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NodeFacts } from '../../cni/nodes/nodefacts.ts';
import { createLogger } from '../../kit/log.ts';
import { follow, followTimings } from './follow.ts';
import type { FollowTimings } from './follow.ts';
import { nodeCollection } from './nodes.ts';
import { TestApi } from './testapi.ts';

let api: TestApi;
let end: AbortController;
let running: Promise<void> | undefined;
let told: Record<string, string>[];
let states: boolean[];

beforeEach(async () => {
  api = new TestApi();
  await api.listen();
  end = new AbortController();
  running = undefined;
  told = [];
  states = [];
});
afterEach(async () => {
  end.abort();
  await running;
  api.close();
});

function node(range: string, address = '192.0.2.1'): Record<string, unknown> {
  return { spec: { podCIDRs: [range] }, status: { addresses: [{ type: 'InternalIP', address }] } };
}

function begin(change: Partial<FollowTimings> = {}): void {
  const timings = { ...followTimings, delays: [1, 2, 4] as const, steady: 60_000, ...change };
  const log = createLogger('error', { write: () => undefined });
  const changed = (nodes: ReadonlyMap<string, NodeFacts>): void => {
    told.push(Object.fromEntries([...nodes].map(([name, facts]) => [name, facts.podCIDRs.join()])));
  };
  const onState = (answers: boolean): void => {
    if (states.at(-1) !== answers) states.push(answers);
  };
  running = follow(nodeCollection, { readAccess: api.access, log, timings, onState }, changed, end.signal);
}

/** Waits until the last thing told is this. */
async function expectNow(nodes: Record<string, string>): Promise<void> {
  await vi.waitFor(
    () => {
      expect(told.at(-1)).toEqual(nodes);
    },
    { timeout: 20_000 },
  );
}

async function watched(times: number): Promise<void> {
  await vi.waitFor(
    () => {
      expect(api.requests.filter(({ kind }) => kind === 'watch').length).toBeGreaterThanOrEqual(times);
      expect(api.watches).toBe(1);
    },
    { timeout: 20_000 },
  );
}

function lists(): number {
  return api.requests.filter(({ kind }) => kind === 'list').length;
}

test('lists page by page, then follows what comes, changes and goes', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) api.put(name, node('10.1.0.0/24'));
  begin({ page: 2 });
  await watched(1);
  expect(api.requests.map(({ kind }) => kind)).toEqual(['list', 'list', 'list', 'watch']);
  expect(told).toHaveLength(1);
  expect(Object.keys(told[0] ?? {})).toEqual(['a', 'b', 'c', 'd', 'e']);
  for (const name of ['a', 'b', 'c', 'd']) api.delete(name);
  api.put('e', node('10.1.5.0/24'));
  api.put('f', node('10.1.6.0/24'));
  await expectNow({ e: '10.1.5.0/24', f: '10.1.6.0/24' });
});

test('it is told whether the API answers; a watch that ends in good order, or is too old, is no failure', async () => {
  begin();
  await watched(1);
  api.finish();
  await watched(2);
  api.compact();
  api.cut();
  await watched(3);
  expect(states).toEqual([true, false, true]);
  api.finish();
  await watched(4);
  expect(states).toEqual([true, false, true]);
});

test('a heartbeat of a Node tells nothing', async () => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  for (let beat = 0; beat < 20; beat++) api.put('a', { ...node('10.1.0.0/24'), heartbeat: beat });
  api.put('b', node('10.1.1.0/24'));
  await expectNow({ a: '10.1.0.0/24', b: '10.1.1.0/24' });
  expect(told).toHaveLength(2);
});

test.each([
  [
    'broken',
    () => {
      api.cut();
    },
  ],
  [
    'ended',
    () => {
      api.finish();
    },
  ],
])('a watch that was %s goes on where it was, without a list', async (_how, stop) => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  api.put('b', node('10.1.1.0/24'));
  await expectNow({ a: '10.1.0.0/24', b: '10.1.1.0/24' });
  stop();
  api.put('c', node('10.1.2.0/24'));
  api.delete('a');
  await expectNow({ b: '10.1.1.0/24', c: '10.1.2.0/24' });
  expect(lists()).toBe(1);
});

test('a bookmark moves the place where the next watch goes on', async () => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  api.put('a', { ...node('10.1.0.0/24'), beat: 1 });
  api.bookmark();
  api.compact();
  api.finish();
  await watched(2);
  expect(lists()).toBe(1);
  expect(api.requests.at(-1)?.query.get('resourceVersion')).toBe('102');
  expect(api.requests.at(-1)?.query.get('allowWatchBookmarks')).toBe('true');
});

test('a version the server no longer has leads to a list, and what went meanwhile is gone', async () => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  api.cut();
  api.refusals.push({ status: 500 }, { status: 503 });
  api.delete('a');
  api.put('b', node('10.1.1.0/24'));
  api.compact();
  await expectNow({ b: '10.1.1.0/24' });
  expect(lists()).toBe(2);
});

test('410 as the status of an answer leads to a list as well', async () => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  api.refusals.push({ status: 410 });
  api.cut();
  await watched(3);
  expect(lists()).toBe(2);
});

test.each([
  ['is no JSON', '{"type":\n'],
  ['is no event', '[]\n'],
  ['has no object', '{"type":"ADDED"}\n'],
  ['has no version', '{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n'],
  ['has no name', '{"type":"DELETED","object":{"metadata":{"resourceVersion":"9"}}}\n'],
  ['is of an unknown type', '{"type":"MOVED","object":{"metadata":{"name":"x","resourceVersion":"9"}}}\n'],
  ['is an error', '{"type":"ERROR","object":{"code":500}}\n'],
  ['never ends', 'x'.repeat(9 * 1024 * 1024)],
])('a line that %s is not trusted: all is listed again', async (_what, line) => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  api.sendRaw(line);
  await watched(2);
  api.put('b', node('10.1.1.0/24'));
  await expectNow({ a: '10.1.0.0/24', b: '10.1.1.0/24' });
  expect(lists()).toBe(2);
});

test('a watch that falls silent is given up and begun again', async () => {
  api.put('a', node('10.1.0.0/24'));
  begin({ silence: 50 });
  await watched(3);
  expect(lists()).toBe(1);
});

test('while the API is away nothing is told, and what happened meanwhile follows', async () => {
  api.put('a', node('10.1.0.0/24'));
  begin();
  await watched(1);
  for (let times = 0; times < 10; times++) api.refusals.push({ status: 503 });
  api.cut();
  await watched(12);
  expect(told).toHaveLength(1);
  api.delete('a');
  await expectNow({});
});

test('it waits as long as the server asks', async () => {
  api.refusals.push({ status: 429, headers: { 'retry-after': '1' } });
  api.put('a', node('10.1.0.0/24'));
  const start = performance.now();
  begin();
  await vi.waitFor(() => {
    expect(told).toHaveLength(1);
  }, 5_000);
  expect(performance.now() - start).toBeGreaterThan(990);
});

test('failures in a row are spaced by growing pauses', async () => {
  for (let times = 0; times < 4; times++) api.refusals.push({ status: 500 });
  const start = performance.now();
  begin({ delays: [1, 20, 40, 80] });
  await vi.waitFor(
    () => {
      expect(told).toHaveLength(1);
    },
    { timeout: 20_000 },
  );
  expect(performance.now() - start).toBeGreaterThan(20 + 40 + 80 + 80);
});

test('a rotated token is used by the next request', async () => {
  begin();
  await watched(1);
  api.token = 'second';
  api.finish();
  await watched(2);
  expect(api.requests.map(({ token }) => token)).toEqual(['Bearer first', 'Bearer first', 'Bearer second']);
});

test('of a Node little is kept, whatever it has', () => {
  const huge = 'x'.repeat(100_000);
  const many = Array.from({ length: 1_000 }, () => ({ type: 'InternalIP', address: huge }));
  expect(nodeCollection.keep({ spec: { podCIDRs: [7, null, huge] }, status: { addresses: many } })).toEqual({
    podCIDRs: ['x'.repeat(64)],
    addresses: Array(8).fill('x'.repeat(64)),
  });
  expect(nodeCollection.keep({ spec: { podCIDR: '10.0.0.0/24' }, status: 'none' })).toEqual({
    podCIDRs: ['10.0.0.0/24'],
    addresses: [],
  });
  expect(nodeCollection.keep({})).toEqual({ podCIDRs: [], addresses: [] });
});
