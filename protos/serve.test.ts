import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../kit/errors.ts';
import { createLogger } from '../kit/log.ts';
import { dial } from './dial.ts';
import type { FinishedCall, Handlers } from './handlers.ts';
import { serve } from './serve.ts';
import type { GrpcServer, ServeOptions } from './serve.ts';

let folder = '';
let lines: string[] = [];
const servers: GrpcServer[] = [];
const log = createLogger(
  'info',
  new Writable({
    write: (line, _encoding, done) => {
      lines.push(String(line));
      done();
    },
  }),
);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-protos-'));
  lines = [];
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(AbortSignal.abort())));
  await rm(folder, { recursive: true });
});

async function serveRegistration(
  handlers: Handlers<'v1beta1.Registration'>,
  more: Partial<ServeOptions> = {},
): Promise<GrpcServer> {
  const path = join(folder, 'a.sock');
  const server = await serve({ path, services: { 'v1beta1.Registration': handlers }, log, ...more });
  servers.push(server);
  return server;
}
const request = { version: 'v1beta1', endpoint: 'x.sock', resource_name: 'berth.dev/x' };

test('a call crosses the socket with all its fields, and the socket is for its owner only', async () => {
  const calls: FinishedCall[] = [];
  const seen: unknown[] = [];
  const server = await serveRegistration(
    { Register: (asked) => (seen.push(asked), {}) },
    { onCall: (call) => calls.push(call) },
  );
  const client = dial('v1beta1.Registration', server.path);
  await expect(client.Register(request)).resolves.toEqual({});
  client.close();
  expect(seen).toEqual([{ ...request, options: null }]);
  expect((await stat(server.path)).mode & 0o777).toBe(0o600);
  expect(calls).toMatchObject([{ service: 'v1beta1.Registration', method: 'Register', code: status.OK }]);
});

test('a BerthError becomes its status on the wire, the same code at the caller, and one log line', async () => {
  const server = await serveRegistration({
    Register: () => Promise.reject(new BerthError('NOT_FOUND', 'no such plugin')),
  });
  const client = dial('v1beta1.Registration', server.path);
  await expect(client.Register(request)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: `/v1beta1.Registration/Register on ${server.path}: no such plugin`,
    cause: { code: status.NOT_FOUND },
  });
  client.close();
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { method: 'Register', code: 'NOT_FOUND', reason: 'no such plugin', msg: 'call failed' },
  ]);
});

test('a room may map its errors its own way, and a method without handler is unimplemented', async () => {
  const server = await serveRegistration(
    {
      Register: () => {
        throw new BerthError('BUSY', 'later');
      },
    },
    { statusOf: (error) => ({ code: status.UNAVAILABLE, details: `mapped ${error.code}` }) },
  );
  const client = dial('v1beta1.Registration', server.path);
  await expect(client.Register(request)).rejects.toThrow('mapped BUSY');
  client.close();
  const other = dial('v1beta1.DevicePlugin', server.path);
  await expect(other.Allocate({})).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  other.close();
});

test('a call that outlives its deadline is TIMED_OUT, one that is given up ends at once, and the handler learns of both', async () => {
  let entered = Promise.withResolvers<AbortSignal>();
  const server = await serveRegistration({
    Register: async (_asked, { signal }) => {
      entered.resolve(signal);
      await once(signal, 'abort');
      return {};
    },
  });
  const client = dial('v1beta1.Registration', server.path);
  await expect(client.Register(request, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
  const late = await entered.promise;
  if (!late.aborted) await once(late, 'abort');

  entered = Promise.withResolvers();
  const controller = new AbortController();
  const call = client.Register(request, { signal: controller.signal });
  const abandoned = await entered.promise;
  controller.abort();
  await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  if (!abandoned.aborted) await once(abandoned, 'abort');
  client.close();
});

test('what has been answered is not given up when its caller goes', async () => {
  let answered: AbortSignal | undefined;
  const server = await serveRegistration({
    Register: (_asked, { signal }) => {
      answered = signal;
      return {};
    },
  });
  const client = dial('v1beta1.Registration', server.path);
  await client.Register(request);
  client.close();
  // The server has seen the connection end once it has closed.
  await server.stop(AbortSignal.timeout(5_000));
  expect(answered?.aborted).toBe(false);
});

test('nobody on the socket is UNAVAILABLE', async () => {
  const client = dial('v1beta1.Registration', join(folder, 'none.sock'));
  await expect(client.Register(request)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  client.close();
});

test('a stale socket is replaced, an answered one is refused unless the name is ours, a file is never removed', async () => {
  const path = join(folder, 'a.sock');
  const other = createServer().listen(path);
  await once(other, 'listening');
  await expect(serveRegistration({})).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  await (await serveRegistration({}, { takeOver: true })).stop();
  other.close();

  await writeFile(path, 'precious');
  await expect(serveRegistration({}, { takeOver: true })).rejects.toThrow('is no socket');
});

test('a server that was replaced leaves the socket of its successor alone', async () => {
  const first = await serveRegistration({});
  const second = await serveRegistration({ Register: () => ({}) }, { takeOver: true });
  expect([await first.lives(), await second.lives()]).toEqual([false, true]);
  await first.stop();
  const client = dial('v1beta1.Registration', second.path);
  await expect(client.Register(request)).resolves.toEqual({});
  client.close();
  expect(await readdir(folder)).toEqual(['a.sock']);
});

test('a path that the kernel would cut is refused', async () => {
  await expect(serveRegistration({}, { path: `/${'x'.repeat(107)}` })).rejects.toThrow('at most 107 bytes');
});

test('stopping removes the socket, lets a call finish and ends the streams', async () => {
  const entered = Promise.withResolvers<undefined>();
  const leave = Promise.withResolvers<undefined>();
  const path = join(folder, 'b.sock');
  const server = await serve({
    path,
    log,
    services: {
      'v1beta1.DevicePlugin': {
        Allocate: async () => {
          entered.resolve(undefined);
          await leave.promise;
          return { container_responses: [{ envs: { A: 'b' } }] };
        },
        ListAndWatch: async (_request, stream) => {
          await stream.send({ devices: [{ ID: 'one', health: 'Healthy' }] });
          await once(stream.signal, 'abort');
        },
      },
    },
  });
  const client = dial('v1beta1.DevicePlugin', path);
  const stream = client.ListAndWatch({});
  const messages: unknown[] = [];
  stream.on('data', (message) => messages.push(message));
  const streamEnded = once(stream, 'end');
  const allocation = client.Allocate({});
  await entered.promise;
  await once(stream, 'data').catch(() => undefined);
  const stopped = server.stop();
  await streamEnded;
  leave.resolve(undefined);
  await expect(allocation).resolves.toMatchObject({ container_responses: [{ envs: { A: 'b' } }] });
  await stopped;
  client.close();
  expect(messages).toEqual([{ devices: [{ ID: 'one', health: 'Healthy', topology: null }] }]);
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

test('a stream whose handler fails ends with the status; a message above 4 MiB is refused before it is sent', async () => {
  const server = await serve({
    path: join(folder, 'c.sock'),
    log,
    services: {
      'v1beta1.DevicePlugin': {
        ListAndWatch: (_request, stream) => stream.send({ devices: [{ ID: 'x'.repeat(4 * 1024 * 1024) }] }),
      },
    },
  });
  servers.push(server);
  const client = dial('v1beta1.DevicePlugin', server.path);
  const stream = client.ListAndWatch({}).resume();
  const [error] = (await once(stream, 'error')) as [{ code: status; details: string }];
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(error.details).toContain('4194304');
  client.close();
});
