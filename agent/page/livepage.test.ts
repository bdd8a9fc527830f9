import { createServer, get } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LivePage } from './livepage.ts';

let taken = 0;
let live: LivePage;
let server: Server;
let followed: ServerResponse | undefined;

beforeEach(async () => {
  taken = 0;
  const take = () => {
    taken += 1;
    return Promise.resolve([{ id: 'big', html: String(taken).repeat(300_000), hidden: false }]);
  };
  live = new LivePage({ take, intervalMs: 1 });
  server = createServer((_, response) => {
    followed = response;
    live.follow(response, 0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  live.stop();
  server.closeAllConnections();
  server.close();
});

async function open(): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo;
  return await new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port }, resolve).on('error', reject);
  });
}

test('for a client that does not read nothing is piled up, and it hears the newest when it goes on', async () => {
  const client = await open();
  await vi.waitUntil(() => followed!.writableNeedDrain, { timeout: 20_000 });
  const waiting = followed!.writableLength;
  const before = taken;
  await vi.waitUntil(() => taken >= before + 10, { timeout: 20_000 });
  expect(followed!.writableLength).toBeLessThanOrEqual(waiting);
  const newest = new Promise<void>((resolve) => {
    client.on('data', (chunk: Buffer) => {
      const id = /id: (\d+)/.exec(chunk.toString())?.[1];
      if (Number(id) > before + 10) resolve();
    });
  });
  await newest;
  client.destroy();
});

test('when the last client has gone nothing is gathered any more', async () => {
  const client = await open();
  client.resume();
  await vi.waitUntil(() => taken >= 3, { timeout: 20_000 });
  const gone = new Promise((resolve) => followed!.on('close', resolve));
  client.destroy();
  await gone;
  let asked = 1; // One may have been under way.
  const before = taken;
  await vi.waitUntil(
    async () => {
      await live.now();
      asked += 1;
      return asked > 5;
    },
    { timeout: 20_000 },
  );
  expect(taken - before).toBeLessThanOrEqual(asked);
});

test('several who load the page at once have it gathered once', async () => {
  const slow = new LivePage({
    take: async () => {
      taken += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return [];
    },
  });
  await Promise.all(Array.from({ length: 20 }, () => slow.now()));
  await slow.now();
  expect(taken).toBe(1);
});
