import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { Endpoint } from './endpoint.ts';
import type { ServiceState } from './health.ts';

const log = pino({ level: 'silent' });
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** A port that was free a moment ago, with the server that held it when `hold` is set. */
async function takePort(hold: boolean): Promise<{ port: number; release: () => Promise<unknown> }> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const release = () => new Promise((resolve) => holder.close(resolve));
  if (!hold) await release();
  return { port, release };
}

async function serve(states: readonly ServiceState[], metrics = () => Promise.resolve('m 1\n')): Promise<string> {
  const { port } = await takePort(false);
  const endpoint = new Endpoint(port, { states: () => states, metrics, metricsType: 'text/plain; version=0.0.4' }, log);
  endings.push(() => endpoint.stop());
  endpoint.start();
  const url = `http://127.0.0.1:${port}`;
  await vi.waitUntil(async () => (await fetch(`${url}/livez`).catch(() => undefined))?.ok, { timeout: 20_000 });
  return url;
}

const ok = { name: 'network', reason: undefined };
const broken = { name: 'storage', reason: 'pool "fast":\n  not mounted' };

test.each<[string, readonly ServiceState[], number, string]>([
  ['ready', [ok], 200, '[+]network ok\nreadyz check passed\n'],
  [
    'not ready',
    [ok, broken],
    503,
    '[+]network ok\n[-]storage not ready: pool "fast":; not mounted\nreadyz check failed\n',
  ],
])('/readyz when %s tells each service on one line', async (_, states, status, body) => {
  const answer = await fetch(`${await serve(states)}/readyz?verbose`);
  expect([answer.status, await answer.text()]).toEqual([status, body]);
});

test.each(['//', 'http://[', '/\\[::'])(
  'a request target that is no URL (%s) is refused and ends nothing',
  async (target) => {
    const { port } = new URL(await serve([ok]));
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: target }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    expect(answer).toBeGreaterThanOrEqual(400);
  },
);

test('/readyz as JSON carries the same', async () => {
  const answer = await fetch(`${await serve([ok, broken])}/readyz?format=json`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({
    ready: false,
    services: [
      { name: 'network', ready: true },
      { name: 'storage', ready: false, reason: broken.reason },
    ],
  });
});

test('/livez stays well when no service is ready, and a failing metric does not take it down', async () => {
  const url = await serve([broken], () => Promise.reject(new Error('broken')));
  expect((await fetch(`${url}/metrics`)).status).toBe(500);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test.each([
  ['GET', '/other', 404],
  ['POST', '/readyz', 405],
  ['POST', '/', 405],
  ['PUT', '/events', 405],
])('%s %s is answered with %i', async (method, path, status) => {
  expect((await fetch(`${await serve([ok])}${path}`, { method })).status).toBe(status);
});

test('a port in use is taken over as soon as it is free', async () => {
  const { port, release } = await takePort(true);
  const failed = Promise.withResolvers<unknown>();
  const watched = pino(
    { level: 'error' },
    {
      write: (line: string) => {
        failed.resolve(JSON.parse(line));
      },
    },
  );
  const sources = { states: () => [ok], metrics: () => Promise.resolve(''), metricsType: 'text/plain' };
  const endpoint = new Endpoint(port, sources, watched, [1]);
  endings.push(() => endpoint.stop());
  endpoint.start();
  expect(await failed.promise).toMatchObject({ event: 'endpoint.listen_failed', port });
  await release();
  await vi.waitUntil(async () => (await fetch(`http://127.0.0.1:${port}/livez`).catch(() => undefined))?.ok, {
    timeout: 20_000,
  });
});
