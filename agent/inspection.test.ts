import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../kit/errors.ts';
import { Inspection } from './inspection.ts';

const log = pino({ level: 'silent' });
const running: Inspection[] = [];
let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-inspect-'));
  path = join(folder, 'run', 'agent.sock');
  await mkdir(join(folder, 'run'));
});
afterEach(async () => {
  for (const inspection of running.splice(0)) await inspection.stop();
  await rm(folder, { recursive: true });
});

const network = { views: { pools: () => [{ range: '10.1.0.0/24' }] } };
const devices = {
  views: {
    devices: () => {
      throw new Error('such a device was never seen');
    },
  },
};
const storage = {
  views: {
    pools: async () => {
      await Promise.resolve();
      return [{ name: 'fast' }];
    },
  },
  actions: {
    undelete: (of: string) => {
      if (of !== 'gone') return [{ id: of }];
      throw new BerthError('NOT_FOUND', 'nothing in the trash is called that');
    },
  },
};

async function serve(): Promise<Inspection> {
  const inspection = new Inspection(path, [network, devices, storage], log);
  running.push(inspection);
  inspection.start();
  await vi.waitUntil(async () => (await stat(path).catch(() => undefined))?.isSocket(), { timeout: 20_000 });
  return inspection;
}

async function ask(url: string, method = 'GET'): Promise<[number | undefined, unknown]> {
  return await new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: url, method }, (response) => {
      text(response).then((body) => {
        resolve([response.statusCode, JSON.parse(body)]);
      }, reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('serves views to root only, and takes its socket away', async () => {
  const inspection = await serve();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await ask('/v1/pools')).toEqual([200, { items: [{ range: '10.1.0.0/24' }, { name: 'fast' }] }]);
  await inspection.stop();
  expect(await readdir(join(folder, 'run'))).toEqual([]);
});

test('a view that fails is an answer, and the agent goes on', async () => {
  await serve();
  const error = 'the agent could not make the view devices: such a device was never seen';
  expect(await ask('/v1/devices')).toEqual([500, { error }]);
  expect((await ask('/v1/pools'))[0]).toBe(200);
});

test('what a command has done is answered, and why it could not be done', async () => {
  await serve();
  expect(await ask('/v1/undelete?of=v1-a', 'POST')).toEqual([200, { items: [{ id: 'v1-a' }] }]);
  const error = 'nothing in the trash is called that';
  expect(await ask('/v1/undelete?of=gone', 'POST')).toEqual([404, { error }]);
});

test.each([
  ['GET', '/v1/undelete', 405],
  ['PUT', '/v1/undelete', 405],
  ['POST', '/v1/constructor', 404],
  ['GET', '/v1/attachments', 404],
  ['GET', '/v1/constructor', 404],
  ['GET', '/', 404],
  ['POST', '/v1/pools', 405],
])('%s %s is answered with %i', async (method, url, status) => {
  await serve();
  expect((await ask(url, method))[0]).toBe(status);
});

test('replaces what a killed agent left, and leaves the socket of a successor', async () => {
  await writeFile(path, '');
  const before = await serve();
  const first = (await stat(path)).ino;
  const after = new Inspection(path, [], log);
  running.push(after);
  after.start();
  await vi.waitUntil(async () => (await stat(path)).ino !== first, { timeout: 20_000 });
  await before.stop();
  expect((await ask('/v1/pools'))[0]).toBe(404);
});

test('a folder that is missing is waited for without harm', async () => {
  await rm(join(folder, 'run'), { recursive: true });
  const failed = Promise.withResolvers<unknown>();
  const watched = pino(
    { level: 'warn' },
    {
      write: (line: string) => {
        failed.resolve(JSON.parse(line));
      },
    },
  );
  const inspection = new Inspection(path, [], watched);
  running.push(inspection);
  inspection.start();
  expect(await failed.promise).toMatchObject({ event: 'inspection.listen_failed' });
});
