import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createIdentityKeeper } from './identitykeeper.ts';
import { loadIdentityMemory } from './units/identitymemory.ts';
import type { IdentityMemory } from './units/memory.ts';
import { unitId } from './units/unitid.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-keeper-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

const silent = pino({ enabled: false });
const before: IdentityMemory = new Map();
const after: IdentityMemory = new Map([
  ['a.b/c', [{ serial: unitId('serial', 'S1'), place: unitId('port', '1-2'), holds: true }]],
]);

test('what is remembered is in the file soon, in a folder that need not be there', async () => {
  const file = join(folder, 'devices/identities.json');
  const keeper = createIdentityKeeper(file, before, silent);
  keeper.keep(after);
  await vi.waitFor(
    async () => {
      expect((await loadIdentityMemory(file)).memory).toEqual(after);
    },
    { timeout: 20_000 },
  );
  await keeper.stop(after);
});

test('what could not be written is written when it can be, with no device coming or going', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const devices = join(folder, 'devices');
  await writeFile(devices, 'a file in the place of the folder');
  const told = vi.spyOn(silent, 'warn');
  const keeper = createIdentityKeeper(join(devices, 'identities.json'), before, silent);
  keeper.keep(after);
  await vi.waitFor(
    () => {
      expect(told).toHaveBeenCalledOnce();
    },
    { timeout: 20_000 },
  );
  await rm(devices);
  await mkdir(devices);
  await vi.advanceTimersByTimeAsync(30_000);
  await vi.waitFor(
    async () => {
      expect((await loadIdentityMemory(join(devices, 'identities.json'))).memory).toEqual(after);
    },
    { timeout: 20_000 },
  );
  await keeper.stop(after);
});

test('the last try is at the end', async () => {
  const file = join(folder, 'identities.json');
  await createIdentityKeeper(file, before, silent).stop(after);
  expect((await loadIdentityMemory(file)).memory).toEqual(after);
});
