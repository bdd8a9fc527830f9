import { createServer, request } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PageKey } from './access.ts';
import { Page } from './page.ts';
import type { Fragment } from './sections.ts';
import type { ViewSource } from './views.ts';
import { testViews } from './testviews.ts';

const key = new PageKey();
const cookie = key.setCookie.split(';')[0]!;
let views: Readonly<Record<string, readonly object[]>> = {};
let asked: string[] = [];
let source: ViewSource = () => Promise.resolve(undefined);
let page: Page;
let server: Server;
let port = 0;

beforeEach(async () => {
  views = testViews();
  asked = [];
  source = (view) => {
    asked.push(view);
    return Promise.resolve(views[view]);
  };
  const facts = { node: 'node-1', version: '1.2.3', since: 0 };
  page = new Page({ facts, key, sources: [(view) => source(view)], intervalMs: 5, mostClients: 2 });
  server = createServer((asking, response) => {
    void page.answer(asking, response, new URL(asking.url ?? '', 'http://localhost')).then((known) => {
      if (!known) response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  page.stop();
  server.closeAllConnections();
  server.close();
});

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function open(path: string, { method = 'GET', headers = {} }: Asked = {}): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, resolve);
    sent.on('error', reject);
    sent.end();
  });
}

async function get(path: string, options?: Asked) {
  const response = await open(path, options);
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

const withCookie = { headers: { cookie } };

describe('who may look', () => {
  test.each([
    ['without a key', '/', {}],
    ['with a wrong cookie', '/', { headers: { cookie: `${cookie}x` } }],
    ['with a wrong key in the address', '/?token=wrong', {}],
    ['with an empty key in the address', '/?token=', withCookie],
    ['for the news', '/events', {}],
    ['for the stylesheet', '/page.css', {}],
    ['for the script', '/page.js', {}],
    ['for the news, with the key in the address', `/events?token=${key.token}`, {}],
  ])('%s gets 401 and the way to get in', async (_, path, options) => {
    const { status, headers, body } = await get(path, options);
    expect([status, headers['set-cookie']]).toEqual([401, undefined]);
    expect(body).toContain('berth page');
    expect(body).not.toContain(key.token);
    expect(asked).toEqual([]);
  });

  test('the address with the key leads to the one without, and the cookie goes with it', async () => {
    const { status, headers, body } = await get(`/?token=${key.token}`);
    expect([status, headers.location, body]).toEqual([303, '/', '']);
    expect(headers['set-cookie']).toEqual([`${cookie}; HttpOnly; SameSite=Strict; Path=/`]);
    expect((await get('/', withCookie)).status).toBe(200);
  });

  test.each(['evil.example', `evil.example:9880`, '127.0.0.1.evil.example', '10.0.0.1:9880'])(
    'whoever comes by the name %s is refused, with the key too',
    async (host) => {
      for (const path of ['/', `/?token=${key.token}`, '/events', '/page.js']) {
        const { status, headers } = await get(path, { headers: { cookie, host } });
        expect([status, headers['set-cookie']]).toEqual([421, undefined]);
      }
      expect(asked).toEqual([]);
    },
  );

  test.each(['localhost:1234', '[::1]:9880', '127.0.0.1'])('by the name %s it is answered', async (host) => {
    expect((await get('/', { headers: { cookie, host } })).status).toBe(200);
  });
});

test.each([
  ['/', 'text/html; charset=utf-8'],
  ['/page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'text/javascript; charset=utf-8'],
])('%s allows nothing but its own files', async (path, type) => {
  const { status, headers } = await get(path, withCookie);
  expect([status, headers['content-type'], headers['cache-control']]).toEqual([200, type, 'no-store']);
  const policy = headers['content-security-policy'];
  for (const part of ["default-src 'none'", "style-src 'self'", "script-src 'self'", "frame-ancestors 'none'"])
    expect(policy).toContain(part);
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
});

test('HEAD is answered as GET, without the body', async () => {
  for (const path of ['/', '/page.css', '/events']) {
    const { status, body } = await get(path, { ...withCookie, method: 'HEAD' });
    expect([path, status, body]).toEqual([path, 200, '']);
  }
});

test('another path is none of the page', async () => {
  expect((await get('/other', withCookie)).status).toBe(404);
});

/** A client of the news, and what it was told so far. */
async function follow(path = '/events', headers: Readonly<Record<string, string>> = {}) {
  const response = await open(path, { headers: { cookie, ...headers } });
  const told: { state: number; parts: Fragment[] }[] = [];
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    const events = `${rest}${chunk}`.split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const [, state, data] = /^id: (\d+)\nevent: parts\ndata: (.*)$/.exec(event) ?? [];
      if (data !== undefined) told.push({ state: Number(state), parts: JSON.parse(data) as Fragment[] });
    }
  });
  return { response, told, next: (count: number) => vi.waitUntil(() => told[count - 1], { timeout: 5_000 }) };
}

async function stateOf(): Promise<number> {
  return Number(/data-state="(\d+)"/.exec((await get('/', withCookie)).body)![1]);
}

describe('the news', () => {
  test('tell only the sections that changed', async () => {
    const client = await follow(`/events?since=${await stateOf()}`);
    views = { ...views, routes: [] };
    const { parts } = await client.next(1);
    expect(parts.map(({ id }) => id).sort()).toEqual(['contents', 'routes']);
    expect(parts.find(({ id }) => id === 'routes')!.html).toContain('No other node is known');
    views = { ...views, calls: [] };
    expect((await client.next(2)).parts.map(({ id }) => id)).toEqual(['calls']);
    expect(client.response.headers['content-type']).toBe('text/event-stream');
    client.response.destroy();
  });

  test('begin with what changed since the page was loaded, or since the last that was heard', async () => {
    const loaded = await stateOf();
    const other = await follow(`/events?since=${loaded}`);
    views = { ...views, calls: [] };
    const { state } = await other.next(1);
    other.response.destroy();
    const late = await follow(`/events?since=${loaded}`);
    expect((await late.next(1)).parts.map(({ id }) => id)).toEqual(['calls']);
    late.response.destroy();
    const again = await follow(`/events?since=${loaded}`, { 'last-event-id': String(state) });
    views = { ...views, routes: [] };
    expect((await again.next(1)).parts.map(({ id }) => id)).not.toContain('calls');
    again.response.destroy();
  });

  test('tell everything to one who has heard of another agent', async () => {
    await stateOf();
    const client = await follow('/events?since=99');
    expect((await client.next(1)).parts.length).toBeGreaterThan(10);
    client.response.destroy();
  });

  test('go to as many as may look at once; there is room again when one has gone', async () => {
    const [one, other] = [await follow(), await follow()];
    const refused = await get('/events', withCookie);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '10']);
    one.response.destroy();
    const third = await vi.waitUntil(
      async () => {
        const response = await open('/events', withCookie);
        response.destroy();
        return response.statusCode === 200;
      },
      { timeout: 20_000 },
    );
    expect(third).toBe(true);
    other.response.destroy();
  });

  test('are gathered once for all', async () => {
    const [one, other] = [await follow(), await follow()];
    await Promise.all([one.next(1), other.next(1)]);
    asked = [];
    await vi.waitUntil(() => asked.filter((view) => view === 'calls').length >= 3, { timeout: 20_000 });
    expect(asked.filter((view) => view === 'pools').length).toBe(asked.filter((view) => view === 'calls').length);
    one.response.destroy();
    other.response.destroy();
  });

  test('end with the page', async () => {
    const client = await follow();
    await client.next(1);
    const ended = new Promise((resolve) => client.response.on('end', resolve));
    page.stop();
    await ended;
    expect((await get('/events', withCookie)).status).toBe(503);
  });
});
