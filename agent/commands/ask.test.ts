import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../kit/errors.ts';
import type { Service } from '../../kit/service.ts';
import { Inspection } from '../inspection.ts';
import { socketsOf } from '../part.ts';
import { askAgent, haveAgentDo } from './ask.ts';

let folder: string;
let socket: string;
const running: Inspection[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-ask-'));
  socket = join(folder, 'agent.sock');
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
  await rm(folder, { recursive: true });
  vi.restoreAllMocks();
});

async function serve(path: string, ...services: Pick<Service, 'views' | 'actions'>[]): Promise<void> {
  const inspection = new Inspection(path, services, pino({ level: 'silent' }));
  running.push(inspection);
  inspection.start();
  await vi.waitUntil(async () => (await stat(path).catch(() => undefined))?.isSocket(), { timeout: 20_000 });
}

const network = { views: { pools: () => [{ range: '10.1.0.0/24' }] } };
const storage = {
  views: { pools: () => [{ name: 'fast' }] },
  actions: {
    undelete: (of: string) => {
      if (of !== 'gone') return [{ id: of }];
      throw new BerthError('NOT_FOUND', 'nothing in the trash is called that');
    },
  },
};

test.each(['one process', 'two processes'])('the pools of %s are told together', async (form) => {
  const [whole = '', first = '', , second = ''] = socketsOf(socket);
  if (form === 'one process') await serve(whole, network, storage);
  else {
    await serve(first, network);
    await serve(second, storage);
  }
  expect(await askAgent(socket, 'pools')).toEqual([{ range: '10.1.0.0/24' }, { name: 'fast' }]);
  expect(await haveAgentDo(socket, 'undelete', 'a')).toEqual([{ id: 'a' }]);
  await expect(haveAgentDo(socket, 'undelete', 'gone')).rejects.toThrow('nothing in the trash');
  await expect(askAgent(socket, 'devices')).rejects.toThrow('this agent has no devices');
});

test('a part that does not answer is named, and the others are asked nevertheless', async () => {
  const [, first = '', , second = ''] = socketsOf(socket);
  await serve(first, network);
  // What a killed process leaves: a socket behind which nobody is.
  const left = createServer().listen(`${second}.left`);
  await vi.waitUntil(() => left.listening, { timeout: 20_000 });
  await rename(`${second}.left`, second);
  left.close();
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(await askAgent(socket, 'pools')).toEqual([{ range: '10.1.0.0/24' }]);
  expect(said.mock.calls.join()).toContain(`${second}: no agent runs here`);
  await expect(askAgent(socket, 'volumes')).rejects.toThrow(second);
});

test('where there is none, it says so', async () => {
  await expect(askAgent(socket, 'pools')).rejects.toThrow(`${socket}: no agent runs here`);
});
