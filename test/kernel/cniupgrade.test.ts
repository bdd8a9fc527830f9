// Executable and agent of different ages, an executable that is replaced while it runs, and those who watch the runtime's folder.
import { spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { networkSchema } from '../../cni/config.ts';
import { buildExecutable } from '../../scripts/executable.ts';
import { conflistText, installConflist, installExecutable } from '../../cni/install.ts';
import { FrameReader, encodeFrame } from '../../cni/protocol.ts';
import { TestNode } from './cni/node.ts';
import { exchange, socketOf } from './cni/client.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];
const undo: (() => void)[] = [];

beforeAll(async () => {
  await buildExecutable(shim);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const node of nodes.splice(0)) node.dispose();
  for (const step of undo.splice(0).reverse()) step();
});

const operations = ['ADD', 'CHECK', 'STATUS', 'GC', 'DEL'] as const;

describe('an executable of tomorrow and the agent of today', () => {
  async function start(): Promise<TestNode> {
    const node = new TestNode(shim);
    nodes.push(node);
    await node.startAgent();
    node.addNamespace('one');
    return node;
  }

  async function ask(
    node: TestNode,
    command: string,
    header: { protocol: number; oldest: number; trace?: object },
    prevResult?: unknown,
  ): ReturnType<typeof exchange> {
    const config = { cniVersion: '1.1.0', name: 'berth', type: 'berth', tomorrow: { is: ['another', 'day'] } };
    const variables = { ...node.variables('one'), CNI_PATH: '/opt/cni/bin', CNI_COMMAND: command, CNI_TOMORROW: 'x' };
    const stdin = JSON.stringify({ ...config, prevResult });
    return await exchange(socketOf(node), { ...header, variables }, stdin);
  }

  test('that speaks an older protocol as well, and says more than is known, is served', async () => {
    const node = await start();
    const header = { protocol: 9, oldest: 1, trace: { id: 1 } };
    let result: unknown;
    for (const command of operations) {
      const answer = await ask(node, command, header, result);
      expect({ command, ...answer }).toMatchObject({ exit: 0 });
      if (command === 'ADD') result = JSON.parse(answer.stdout);
    }
    await vi.waitUntil(() => node.records().length === 0, { timeout: 20_000, interval: 20 });
    expect(node.podLinks()).toEqual([]);
  });

  test.each(operations)('that speaks a newer one only is told so: %s is to be tried again later', async (command) => {
    const node = await start();
    const { exit, stdout } = await ask(node, command, { protocol: 9, oldest: 9 });
    expect(exit).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: 11, msg: expect.stringContaining('the executable 9') as string });
    expect(node.podLinks()).toEqual([]);
  });
});

/** An agent that answers each request with `reply`, once `release` is called. */
async function agentOf(reply: Uint8Array): Promise<{ path: string; waiting: () => number; release: () => void }> {
  const path = join(mkdtempSync(join(folder, 'agent-')), 'cni.sock');
  const waiting: Socket[] = [];
  let open = false;
  const server = createServer((socket) => {
    const reader = new FrameReader();
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      if (reader.push(chunk as Uint8Array) === undefined) return;
      if (open) socket.end(reply);
      else waiting.push(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  undo.push(() => server.close());
  return {
    path,
    waiting: () => waiting.length,
    release: () => {
      open = true;
      for (const socket of waiting.splice(0)) socket.end(reply);
    },
  };
}

async function execute(
  program: string,
  command: string,
  socket: string,
): Promise<{ exit: number | null; out: string }> {
  const child = spawn(program, {
    env: { CNI_COMMAND: command, CNI_CONTAINERID: 'c', CNI_IFNAME: 'eth0', CNI_NETNS: '/run/netns/x', CNI_PATH: '/x' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ cniVersion: '1.1.0', name: 'berth', type: 'berth', socket }));
  const [out, exit] = await Promise.all([
    text(child.stdout),
    new Promise<number | null>((resolve) => child.on('exit', resolve)),
  ]);
  return { exit, out };
}

test.each(operations)('the executable of today passes on what an agent of tomorrow says: %s', async (command) => {
  const header = { protocol: 7, exit: 3, tomorrow: true };
  const agent = await agentOf(encodeFrame(header, new TextEncoder().encode('{"any":"thing"}')));
  agent.release();
  expect(await execute(shim, command, agent.path)).toEqual({ exit: 3, out: '{"any":"thing"}' });
});

test('an agent that takes a STATUS and says nothing is not waited for: code 50', async () => {
  const agent = await agentOf(new Uint8Array());
  const { exit, out } = await execute(shim, 'STATUS', agent.path);
  expect(exit).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ code: 50, msg: 'the berth agent did not answer STATUS in time' });
});

test('sixteen that run go on when the executable is replaced, and the next are of the new one', async () => {
  const bin = join(folder, 'replaced');
  await installExecutable(shim, bin);
  const agent = await agentOf(encodeFrame({ protocol: 1, exit: 0 }, new TextEncoder().encode('{}')));
  const running = Array.from({ length: 16 }, () => execute(join(bin, 'berth'), 'ADD', agent.path));
  await vi.waitUntil(() => agent.waiting() === 16, { timeout: 60_000, interval: 20 });
  const next = join(folder, 'next');
  copyFileSync(shim, next);
  appendFileSync(next, 'of another version');
  expect(await installExecutable(next, bin)).toBe(true);
  const late = execute(join(bin, 'berth'), 'ADD', agent.path);
  agent.release();
  expect(await Promise.all([...running, late])).toEqual(Array.from({ length: 17 }, () => ({ exit: 0, out: '{}' })));
  expect(readFileSync(join(bin, 'berth')).equals(readFileSync(next))).toBe(true);
});

test('whoever watches the folder never sees a part of the configuration list', async () => {
  const config = networkSchema.parse({ cniConfDir: mkdtempSync(join(folder, 'net.d-')) });
  const path = join(config.cniConfDir, config.conflistName);
  const seen = new Set<string>();
  let reads = 0;
  // As CRI-O and containerd look: after any event, at whatever has the ending of a list.
  const watcher = watch(config.cniConfDir, (_event, name) => {
    if (name?.endsWith('.conflist') !== true) return;
    try {
      seen.add(readFileSync(join(config.cniConfDir, name), 'utf8'));
      reads++;
    } catch {
      // Removed since.
    }
  });
  undo.push(() => {
    watcher.close();
  });
  const damaged = '{"damaged": true}';
  for (let round = 0; round < 20; round++) {
    if (round % 2 === 0) rmSync(path, { force: true });
    else writeFileSync(path, damaged);
    const before = reads;
    expect(await installConflist(config)).toBe(true);
    await vi.waitUntil(() => reads > before, { timeout: 20_000, interval: 2 });
  }
  // The damage is this test's own, and writing it in place has a moment in which the file is empty.
  expect([...seen].filter((content) => content !== '' && content !== damaged)).toEqual([conflistText(config)]);
});
