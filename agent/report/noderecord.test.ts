import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BerthError } from '../../kit/errors.ts';
import type { ApiObject } from '../kubernetes/transport.ts';
import { NodeRecord } from './noderecord.ts';
import type { NodeStatus } from './nodestatus.ts';

const { signal } = new AbortController();
const collection = '/apis/berth.dev/v1alpha1/berthnodes';

interface StoredNode {
  metadata: { name: string; ownerReferences?: unknown };
  status?: { conditions: readonly { readonly type: string; readonly status: string; lastTransitionTime: string }[] };
}

/** An API server with one Node, as far as its BerthNode goes. */
class Api {
  stored: StoredNode | undefined;
  away = false;
  hasCrd = true;
  readonly calls: string[] = [];

  async get(path: string): Promise<ApiObject> {
    await this.#call(`GET ${path}`);
    if (path === '/api/v1/nodes/a') return { metadata: { name: 'a', uid: 'u-1' } };
    return this.#there();
  }

  async create(path: string, object: object): Promise<ApiObject> {
    await this.#call(`POST ${path}`);
    if (!this.hasCrd) throw new BerthError('NOT_FOUND', 'the server could not find the requested resource');
    this.stored = structuredClone(object) as StoredNode;
    return this.#there();
  }

  async operate(path: string, operations: readonly object[]): Promise<ApiObject> {
    await this.#call(`PATCH ${path}`);
    const [{ path: at = '', value } = {}] = operations as readonly { path?: string; value?: unknown }[];
    const stored = structuredClone(this.#there()) as unknown as StoredNode;
    if (at === '/status') stored.status = structuredClone(value) as NonNullable<StoredNode['status']>;
    else stored.metadata.ownerReferences = value;
    this.stored = stored;
    return this.#there();
  }

  #there(): ApiObject {
    if (this.stored === undefined) throw new BerthError('NOT_FOUND', 'berthnodes.berth.dev "a" not found');
    return this.stored as unknown as ApiObject;
  }

  async #call(what: string): Promise<void> {
    this.calls.push(what);
    await Promise.resolve();
    if (this.away) throw new BerthError('UNAVAILABLE', 'the API is away');
  }
}

const status = (pods: number, ready = true): NodeStatus => ({
  version: '1',
  conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', reason: 'Any', message: '' }],
  registrations: [],
  doctor: { summary: 'well', findings: [] },
  network: { attachments: pods, ranges: [], routes: { direct: 0, tunnel: 0, none: 0 } },
});

function record(api: Api, timings = { counts: 0, recheck: 60_000 }): NodeRecord {
  return new NodeRecord({ client: api, nodeName: 'a', log: pino({ level: 'silent' }), timings });
}

test('it is made with the Node as its owner, and written when something has changed and not otherwise', async () => {
  const api = new Api();
  const kept = record(api);
  await kept.keep(status(1), signal);
  expect(api.calls).toEqual([
    `GET ${collection}/a`,
    'GET /api/v1/nodes/a',
    `POST ${collection}`,
    `PATCH ${collection}/a/status`,
  ]);
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'u-1' };
  expect(api.stored).toMatchObject({ metadata: { name: 'a', ownerReferences: [owner] }, status: status(1) });
  for (let times = 0; times < 10; times++) await kept.keep(status(1), signal);
  expect(api.calls).toHaveLength(4);
  await kept.keep(status(2), signal);
  expect(api.calls).toHaveLength(5);
  expect(api.stored).toMatchObject({ status: status(2) });
});

test('counts wait for their time, conditions and what the doctor found do not', async () => {
  const api = new Api();
  const kept = record(api, { counts: 60_000, recheck: 60_000 });
  await kept.keep(status(1), signal);
  await kept.keep(status(2), signal);
  expect(api.stored).toMatchObject({ status: status(1) });
  await kept.keep(status(3, false), signal);
  expect(api.stored).toMatchObject({ status: status(3, false) });
  const found: NodeStatus = { ...status(4, false), doctor: { summary: '1 warning', findings: [] } };
  await kept.keep(found, signal);
  expect(api.stored).toMatchObject({ status: found });
});

test('a condition keeps its time until it changes, also over the agent’s restart', async () => {
  const api = new Api();
  await record(api).keep(status(1), signal);
  const [first] = api.stored?.status?.conditions ?? [];
  if (first === undefined) throw new Error('there is no condition');
  first.lastTransitionTime = '2026-01-01T00:00:00Z';
  const next = record(api);
  await next.keep(status(2), signal);
  expect(api.stored?.status?.conditions[0]?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
  await next.keep(status(2, false), signal);
  expect(api.stored?.status?.conditions[0]?.lastTransitionTime).not.toBe('2026-01-01T00:00:00Z');
});

test('an agent that starts anew and finds it true writes nothing', async () => {
  const api = new Api();
  await record(api).keep(status(1), signal);
  api.calls.length = 0;
  await record(api).keep(status(1), signal);
  expect(api.calls).toEqual([`GET ${collection}/a`]);
});

test.each([
  ['edited', (api: Api) => Object.assign(api.stored?.status ?? {}, { version: 'better', lies: true })],
  ['disowned', (api: Api) => delete api.stored?.metadata.ownerReferences],
  ['deleted', (api: Api) => (api.stored = undefined)],
])('one that somebody has %s is put right at the next look', async (_, spoil) => {
  const api = new Api();
  const kept = record(api, { counts: 60_000, recheck: 0 });
  await kept.keep(status(1), signal);
  const right = structuredClone(api.stored);
  spoil(api);
  await kept.keep(status(1), signal);
  expect(api.stored).toEqual({ ...right, status: { ...right?.status, conditions: expect.any(Array) as unknown } });
  expect(Object.keys(api.stored?.status ?? {})).toEqual(Object.keys(right?.status ?? {}));
});

test('without an API server, or without the CRD, it is not asked for at every look', async () => {
  for (const spoil of [{ away: true }, { hasCrd: false }]) {
    const api = new Api();
    Object.assign(api, spoil);
    const kept = record(api);
    for (let times = 0; times < 100; times++) await kept.keep(status(1), signal);
    expect(api.calls.length).toBeLessThan(5);
  }
});

test('an agent that stops says that nobody knows any more, if it has said something', async () => {
  const silent = new Api();
  await record(silent).close(signal);
  expect(silent.calls).toEqual([]);
  const api = new Api();
  const kept = record(api);
  await kept.keep(status(1), signal);
  await kept.close(signal);
  expect(api.stored?.status?.conditions[0]).toMatchObject({ status: 'Unknown', reason: 'AgentStopped' });
});
