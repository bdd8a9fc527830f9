import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { devicesSection } from './config/section.ts';
import { DeviceEngine } from './engine.ts';
import { inventoryOf } from './fake/inventoryof.ts';
import { recorded } from './fake/recorded.ts';
import type { Inventory } from './inventory/inventory.ts';
import { createDeviceMetrics } from './metrics.ts';
import { compileRules } from './units/compile.ts';

let folder: string;
let engine: DeviceEngine | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-engine-'));
});
afterEach(async () => {
  await engine?.stop(AbortSignal.timeout(1_000));
  engine = undefined;
  await rm(folder, { recursive: true });
});

const plugged = inventoryOf([...recorded.usbSerial('1-2', { serial: 'S1x' })]);
const serial = { name: 'a.b/serial', match: [{ subsystem: 'tty' }] };
const log = pino({ enabled: false });

/** An engine on a node whose kubelet has not started yet. */
function start(resources: readonly object[], inventory: Inventory): DeviceEngine {
  const config = devicesSection.parse({ resources, rulesDir: '/etc/rules', cdiDir: join(folder, 'cdi') });
  engine = new DeviceEngine({
    config,
    kubeletRoot: join(folder, 'kubelet'),
    memoryFile: join(folder, 'state/identities.json'),
    memory: new Map(),
    rules: compileRules(config.resources, config.deny),
    inventory,
    readsCdi: undefined,
    log,
    metrics: createDeviceMetrics(new Registry()),
  });
  engine.start();
  return engine;
}

const healthOf = ({ snapshot }: DeviceEngine): readonly (string | undefined)[] =>
  [...snapshot.values()].flatMap(({ units }) => [...units.values()].map(({ unhealthy }) => unhealthy));

test('what is plugged and unplugged is in the snapshot in the same turn', () => {
  const running = start([serial], inventoryOf([]));
  running.setInventory(plugged, performance.now());
  expect(healthOf(running)).toEqual([undefined]);
  running.setInventory(inventoryOf([]), performance.now());
  expect(healthOf(running)).toEqual(['is gone from the node']);
  expect(running.notReady()).toContain('a.b/serial is not registered with the kubelet');
});

test('a device that makes a look fail leaves what is offered as it is, and is told of once', () => {
  const running = start([serial], plugged);
  const before = running.snapshot;
  const told = vi.spyOn(log, 'error');
  const broken = {
    ...plugged,
    get nodes(): Inventory['nodes'] {
      throw new Error('such a device was never seen');
    },
  };
  running.setInventory(broken);
  running.look();
  expect(running.snapshot).toBe(before);
  expect(told).toHaveBeenCalledOnce();
  expect(told.mock.lastCall?.[0]).toMatchObject({ reason: 'such a device was never seen' });
  running.setInventory(inventoryOf([]));
  expect(healthOf(running)).toEqual(['is gone from the node']);
});

test('a probed device is offered when its probe has succeeded, and withdrawn when it fails', async () => {
  const flag = join(folder, 'broken');
  const health = { command: ['/bin/sh', '-c', `test ! -e ${flag}`], intervalSeconds: 0.1, failures: 1 };
  const running = start([{ ...serial, health }], plugged);
  expect(healthOf(running)).toEqual(['was not probed yet']);
  await vi.waitFor(
    () => {
      expect(healthOf(running)).toEqual([undefined]);
    },
    { timeout: 20_000 },
  );
  await writeFile(flag, '');
  await vi.waitFor(
    () => {
      expect(healthOf(running)).toEqual(['failed /bin/sh (exit code 1)']);
    },
    { timeout: 20_000 },
  );
});

test('identities and CDI files are written at the start, and stay for the next agent', async () => {
  const running = start([{ ...serial, injection: 'cdi' }], plugged);
  const [id = ''] = running.snapshot.get('a.b/serial')?.units.keys() ?? [];
  await vi.waitFor(
    async () => {
      expect(await readFile(join(folder, 'state/identities.json'), 'utf8')).toContain(id);
      expect(await readdir(join(folder, 'cdi'))).toEqual(['berth-a.b_serial.json']);
    },
    { timeout: 20_000 },
  );
  await running.stop(AbortSignal.timeout(1_000));
  expect(await readdir(join(folder, 'cdi'))).toEqual(['berth-a.b_serial.json']);
});
