// Callers of the agent's socket that keep to no rule: it lives, serves the others meanwhile, and holds nothing of them for long.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { answerOf, call, open, requestOf, socketOf } from './cni/client.ts';
import { TestNode, addressOf } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];
const sockets: Socket[] = [];
const status = requestOf({ CNI_COMMAND: 'STATUS' });
const well = { exit: 0, stdout: '' };

beforeAll(async () => {
  await buildExecutable(shim);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const node of nodes.splice(0)) node.dispose();
});

async function start(): Promise<TestNode> {
  const node = new TestNode(shim);
  nodes.push(node);
  await node.startAgent();
  return node;
}

async function caller(node: TestNode): Promise<Socket> {
  const socket = await open(socketOf(node));
  sockets.push(socket);
  return socket;
}

function descriptors(node: TestNode): number {
  return readdirSync(`/proc/${node.agentPid}/fd`).length;
}

/** The most memory the agent has had so far, MiB. */
function peak(node: TestNode): number {
  const [, kib = ''] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.agentPid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** What is asked between the hostile calls and after them works as ever. */
async function expectServing(node: TestNode, pod: string): Promise<void> {
  expect(await call(socketOf(node), status)).toEqual(well);
  node.addNamespace(pod);
  expect(addressOf(await node.add(pod))).toMatch(/^10\.244\.7\./);
  expect(await node.del(pod)).toEqual(well);
}

/** Once the agent's patience is over, which is 10 s, nothing is left of those who called. */
async function expectForgotten(node: TestNode, before: number): Promise<void> {
  await vi.waitFor(
    () => {
      expect(descriptors(node)).toBeLessThanOrEqual(before);
    },
    { timeout: 40_000, interval: 100 },
  );
}

function lengths(head: number, body: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(head, 0);
  bytes.writeUInt32BE(body, 4);
  return bytes;
}

/** Sends as long as anybody takes it, at most so many MiB; returns the number that were taken. */
async function flood(socket: Socket, mebibytes: number): Promise<number> {
  const piece = Buffer.alloc(1 << 20, 0x41);
  for (let sent = 0; sent < mebibytes; sent++) {
    if (socket.destroyed) return sent;
    await new Promise((resolve) => {
      socket.once('close', resolve);
      socket.write(piece, resolve);
    });
  }
  return mebibytes;
}

const words = requestOf({ CNI_COMMAND: 'STATUS' }).subarray(8);
const garbage: readonly (readonly [string, Uint8Array])[] = [
  ['random bytes', Buffer.concat([Buffer.from([0xff]), randomBytes(4096)])],
  ['HTTP', Buffer.from('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ['a frame of 10 MiB', lengths(60, 10 << 20)],
  ['a header of 10 MiB', lengths(10 << 20, 0)],
  ['the greatest lengths there are', lengths(2 ** 32 - 1, 2 ** 32 - 1)],
  ['a header that is not JSON', Buffer.concat([lengths(4, 0), Buffer.from('{{{{')])],
  ['a header of another shape', Buffer.concat([lengths(4, 0), Buffer.from('null')])],
  ['an empty header', lengths(0, 0)],
  ['lengths that do not fit', Buffer.concat([lengths(words.length - 3, 3), words])],
];

test.each(garbage)('%s are answered with an error, and the connection is over', async (_what, bytes) => {
  const node = await start();
  const before = descriptors(node);
  const socket = await caller(node);
  const answer = answerOf(socket);
  socket.write(bytes);
  expect(await answer).toMatchObject({ exit: 1, stdout: expect.stringContaining('"code":') as string });
  await expectServing(node, 'one');
  socket.destroy();
  await expectForgotten(node, before);
});

test('who goes on sending after an announcement that was refused is cut off, and fills no memory', async () => {
  const node = await start();
  const [before, memory] = [descriptors(node), peak(node)];
  const callers = await Promise.all([1, 2, 3, 4].map(() => caller(node)));
  for (const socket of callers) socket.write(lengths(2 ** 32 - 1, 2 ** 32 - 1));
  const [sent] = await Promise.all([
    Promise.all(callers.map((socket) => flood(socket, 512))),
    expectServing(node, 'one'),
  ]);
  expect(Math.max(...sent)).toBeLessThan(512);
  expect(peak(node) - memory).toBeLessThan(200);
  await expectForgotten(node, before);
});

test('two hundred that never speak, half a frame and then silence, single bytes: others are served, all are cut off', async () => {
  const node = await start();
  const [before, memory] = [descriptors(node), peak(node)];
  await Promise.all(Array.from({ length: 200 }, () => caller(node)));
  for (const part of [1, 8, status.length / 2]) (await caller(node)).write(status.subarray(0, part));
  const large = requestOf({ CNI_COMMAND: 'STATUS' }, { filler: 'x'.repeat(1_000_000) });
  const writers = await Promise.all(Array.from({ length: 20 }, () => caller(node)));
  let writing = true;
  const written = writers.map(async (socket) => {
    for (let at = 0; writing && !socket.destroyed && at < large.length; at++) {
      socket.write(large.subarray(at, at + 1));
      if (at % 50 === 0) await new Promise(setImmediate);
    }
  });
  await expectServing(node, 'one');
  await expectForgotten(node, before);
  writing = false;
  await Promise.all(written);
  expect(peak(node) - memory).toBeLessThan(200);
  await expectServing(node, 'two');
}, 120_000);

test('a whole request of single bytes is answered like any other', async () => {
  const node = await start();
  const socket = await caller(node);
  socket.setNoDelay(true);
  const answer = answerOf(socket);
  for (const byte of status) {
    socket.write(Uint8Array.of(byte));
    await new Promise(setImmediate);
  }
  expect(await answer).toEqual(well);
});

test('a hundred that leave before their answer, and as many that never take it, leave nothing', async () => {
  const node = await start();
  const before = descriptors(node);
  const check = requestOf({ CNI_COMMAND: 'CHECK', CNI_CONTAINERID: 'x'.repeat(100_000) });
  for (const socket of await Promise.all(Array.from({ length: 100 }, () => caller(node)))) {
    socket.write(check);
    socket.destroy();
  }
  for (const socket of await Promise.all(Array.from({ length: 100 }, () => caller(node)))) socket.pause().write(check);
  await expectServing(node, 'one');
  await expectForgotten(node, before);
}, 120_000);
