import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Bearers } from './bearers.ts';
import { selfSigned } from './certificate.ts';
import { createReview } from './review.ts';
import { ScrapeServer } from './scrapeserver.ts';
import type { ScrapeParts } from './scrapeserver.ts';
import { TestReviewer } from './testreviewer.ts';

const log = pino({ level: 'silent' });
const endings: (() => unknown)[] = [];
let api: TestReviewer;

beforeEach(async () => {
  api = new TestReviewer();
  await api.listen();
  endings.push(() => {
    api.close();
  });
  api.tokens.set('good', 'prometheus').set('other', 'somebody');
  api.readers.add('prometheus');
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function serve(parts: Partial<ScrapeParts> = {}): Promise<number> {
  const server = new ScrapeServer({
    address: '127.0.0.1',
    port: 0,
    files: undefined,
    bearers: new Bearers(createReview(api.client), { log }),
    metrics: () => Promise.resolve('m 1\n'),
    metricsType: 'text/plain; version=0.0.4',
    log,
    ...parts,
  });
  endings.push(() => server.stop());
  server.start();
  return await vi.waitUntil(() => server.port, { timeout: 20_000 });
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string;
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(port: number, { method = 'GET', path = '/metrics', token, agent, headers = {} }: Asked = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const options = { host: '127.0.0.1', port, method, path, rejectUnauthorized: false };
  const sent = request({ ...options, agent: agent ?? false, headers: { ...authorization, ...headers } });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode,
    headers: response.headers,
    body: await text(response),
    reused: sent.reusedSocket,
  };
}

test.each<[string, Asked, number, RegExp]>([
  ['a token that may read', { token: 'good' }, 200, /^m 1\n$/],
  ['a query, as federating scrapers send', { token: 'good', path: '/metrics?x=1' }, 200, /^m 1\n$/],
  ['no token', {}, 401, /^send a token: Authorization: Bearer TOKEN\n$/],
  ['an unknown token', { token: 'nope' }, 401, /has expired\n$/],
  ['a token without the right', { token: 'other' }, 403, /berth-metrics-reader\n$/],
  ['another path', { token: 'good', path: '/livez' }, 404, /^only \/metrics/],
  ['a path that leads there', { token: 'good', path: '/x/../metrics' }, 404, /^only \/metrics/],
  ['another method', { token: 'good', method: 'POST' }, 405, /^only GET/],
  ['headers without end', { token: 'good', headers: { x: 'y'.repeat(20_000) } }, 431, /^$/],
])('%s', async (_, asked, status, body) => {
  const answer = await ask(await serve(), asked);
  expect([answer.status, answer.body]).toEqual([status, expect.stringMatching(body)]);
  expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'Bearer realm="berth"' : undefined);
});

test('who may read keeps the connection, who may not loses it', async () => {
  const port = await serve();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  endings.push(() => {
    agent.destroy();
  });
  await ask(port, { token: 'good', agent });
  expect(await ask(port, { token: 'good', agent })).toMatchObject({ status: 200, reused: true });
  expect(await ask(port, { token: 'nope', agent })).toMatchObject({ reused: true, headers: { connection: 'close' } });
  expect(await ask(port, { token: 'good', agent })).toMatchObject({ status: 200, reused: false });
});

test('metrics that cannot be collected, and an API server that is away, are told in a sentence', async () => {
  const broken = await serve({ metrics: () => Promise.reject(new Error('broken')) });
  expect(await ask(broken, { token: 'good' })).toMatchObject({ status: 500, body: /the log of the agent/ });
  const port = await serve();
  api.refusal = 500;
  expect(await ask(port, { token: 'good' })).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
});

test('the port in use by another program is taken over as soon as it is free', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const failed = Promise.withResolvers<string>();
  const watched = pino({ level: 'error' }, { write: failed.resolve });
  const serving = serve({ port, log: watched, schedule: [1] });
  expect(JSON.parse(await failed.promise)).toMatchObject({
    event: 'endpoint.listen_failed',
    msg: /agent.metrics.port/,
  });
  holder.close();
  expect(await ask(await serving, { token: 'good' })).toMatchObject({ status: 200 });
});

test('a certificate from files is served, and after a change the new one, to those who come then', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-scrape-'));
  endings.push(() => rm(folder, { recursive: true }));
  const files = { certFile: join(folder, 'crt'), keyFile: join(folder, 'key') };
  const [first, second] = [selfSigned(Date.now()), selfSigned(Date.now())];
  const write = async ({ cert, key }: typeof first): Promise<void> => {
    for (const [file, content] of [
      [files.certFile, cert],
      [files.keyFile, key],
    ] as const) {
      await writeFile(`${file}.new`, content);
      await rename(`${file}.new`, file);
    }
  };
  const port = await serve({ files });
  const served = async (): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return raw.toString('base64');
  };
  const isServed = async ({ cert }: typeof first): Promise<boolean> =>
    cert.replaceAll('\n', '').includes(await served().catch(() => 'nothing'));
  expect(await isServed(first)).toBe(false);
  await write(first);
  await vi.waitUntil(() => isServed(first), { timeout: 20_000, interval: 100 });
  await write(second);
  await vi.waitUntil(() => isServed(second), { timeout: 20_000, interval: 100 });
});
