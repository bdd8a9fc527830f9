import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Service } from '../../kit/service.ts';
import { Inspection } from '../inspection.ts';
import { otherParts } from './otherparts.ts';
import { Views } from './views.ts';

const log = pino({ level: 'silent' });
let folder = '';
const parts: Inspection[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-parts-'));
});
afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop();
  await rm(folder, { recursive: true });
});

async function serve(name: string, views: Service['views']): Promise<void> {
  const path = join(folder, name);
  const part = new Inspection(path, [{ views: views ?? {} }], log);
  parts.push(part);
  part.start();
  await vi.waitUntil(async () => (await stat(path).catch(() => undefined)) !== undefined, { timeout: 20_000 });
}

const ask = async (socket: string, ...names: string[]) =>
  Object.fromEntries(await new Views(otherParts(join(folder, socket))).ask(names));

test('the page of one part has the views of the others that run', async () => {
  await serve('agent-network.sock', { pools: () => [{ kind: 'addresses' }], routes: () => [] });
  await serve('agent-storage.sock', { pools: () => [{ kind: 'storage' }] });
  const answers = await ask('agent-storage.sock', 'pools', 'routes', 'devices');
  expect(answers).toEqual({
    pools: { items: [{ kind: 'addresses' }], problems: [], known: true },
    routes: { items: [], problems: [], known: true },
    devices: { items: [], problems: [], known: false },
  });
  expect((await ask('agent-devices.sock', 'pools'))['pools']!.items).toHaveLength(2);
});

test('that a part has failed, or is killed, is told with what it would have shown', async () => {
  await serve('agent-network.sock', { routes: () => Promise.reject(new Error('no routes today')) });
  const { routes } = await ask('agent-storage.sock', 'routes');
  expect(routes!.problems).toEqual([expect.stringContaining('no routes today')]);
});

test('a whole agent asks nobody', async () => {
  await serve('agent-network.sock', { routes: () => [{}] });
  expect(otherParts(join(folder, 'agent.sock'))).toEqual([]);
});
