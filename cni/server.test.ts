import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FrameReader, encodeFrame } from './protocol.ts';
import { CniServer } from './server.ts';

let folder = '';
let server: CniServer;
const sockets: Socket[] = [];
const errors: Error[] = [];
let calls = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-server-'));
  calls = 0;
  errors.length = 0;
  server = new CniServer(
    join(folder, 'cni.sock'),
    (variables, stdin) => {
      calls++;
      return Promise.resolve({ exit: 0, stdout: `${variables['CNI_COMMAND'] ?? ''} of ${stdin.length} bytes` });
    },
    (error) => errors.push(error),
  );
  await server.listen();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close(AbortSignal.timeout(1_000));
  await rm(folder, { recursive: true });
});

async function open(): Promise<Socket> {
  const socket = connect(join(folder, 'cni.sock'));
  sockets.push(socket);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** What the server answers until it ends the connection. */
async function answerTo(socket: Socket): Promise<string> {
  const reader = new FrameReader();
  let answer = '';
  socket.on('data', (chunk) => {
    const frame = reader.push(chunk as Uint8Array);
    if (frame !== undefined) answer = new TextDecoder().decode(frame.body);
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

function request(body = ''): Uint8Array {
  return encodeFrame({ protocol: 1, variables: { CNI_COMMAND: 'STATUS' } }, new TextEncoder().encode(body));
}

async function expectServed(): Promise<void> {
  const socket = await open();
  socket.write(request());
  expect(await answerTo(socket)).toBe('STATUS of 0 bytes');
}

const huge = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);

test.each<[string, Uint8Array, RegExp]>([
  ['lengths of four gigabytes', huge, /too large/],
  ['text', new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), /too large/],
  ['a header that is no JSON', new Uint8Array([0, 0, 0, 1, 0, 0, 0, 0, 0x7b]), /"code":6/],
  ['a header that is no object', new Uint8Array([0, 0, 0, 1, 0, 0, 0, 0, 0x37]), /"code":11/],
])('%s gets an error, and the next caller is served', async (_what, bytes, expected) => {
  const socket = await open();
  socket.write(bytes);
  expect(await answerTo(socket)).toMatch(expected);
  expect(calls).toBe(0);
  await expectServed();
});

test('a request that comes byte by byte is served like any other', async () => {
  const socket = await open();
  socket.setNoDelay(true);
  const answered = answerTo(socket);
  for (const byte of request('{"name": "berth"}')) {
    socket.write(new Uint8Array([byte]));
    await new Promise(setImmediate);
  }
  expect(await answered).toBe('STATUS of 17 bytes');
});

test('two hundred that say nothing, or half of something, keep nobody from being served', async () => {
  for (let at = 0; at < 200; at++) {
    const socket = await open();
    if (at % 2 === 0) socket.write(request('x').subarray(0, at / 10));
  }
  await expectServed();
  // They go, and nothing of them stays: no error, and nothing beside the socket.
  for (const socket of sockets.splice(0)) socket.destroy();
  await expectServed();
  expect(errors).toEqual([]);
  expect(await readdir(folder)).toEqual(['cni.sock']);
});

test('callers that leave before their answer do no harm', async () => {
  for (let at = 0; at < 50; at++) {
    const socket = await open();
    socket.write(request());
    socket.destroy();
  }
  await expectServed();
  expect(errors).toEqual([]);
});

test('a caller that is silent for too long is cut off', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const socket = await open();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // The server has taken it when it serves another.
    await expectServed();
    vi.advanceTimersByTime(10_000);
    await closed;
  } finally {
    vi.useRealTimers();
  }
});
