import { spawnSync } from 'node:child_process';
import { access, lstat, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Service } from '../kit/service.ts';
import { devicesSection } from './config/section.ts';
import { writeMachine } from './fake/machine.ts';
import { recorded } from './fake/recorded.ts';
import { nextSocket } from './plugin/socketnames.ts';
import { createDeviceService } from './service.ts';
import type { DeviceView } from './views.ts';

let folder: string;
let service: Service | undefined;
let registry: Registry;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-service-')));
  await mkdir(join(folder, 'rules'));
});
afterEach(async () => {
  await service?.stop(AbortSignal.timeout(1_000));
  service = undefined;
  await rm(folder, { recursive: true });
});

const log = pino({ enabled: false });
const serial = { name: 'a.b/serial', match: [{ subsystem: 'tty' }] };

/** Has the service take over other rules of the configuration. */
let configure: (settings: object) => void = () => undefined;

/** The service on a recorded machine with an adapter, on which no kubelet has started. */
async function start(): Promise<Service> {
  const { roots } = await writeMachine(folder, recorded.usbSerial('1-2', { serial: 'S1x' }));
  const { devRoot, sysRoot, udevRoot } = roots;
  const places = { devRoot, sysRoot, udevRoot, cdiDir: join(folder, 'cdi'), rulesDir: join(folder, 'rules') };
  registry = new Registry();
  service = createDeviceService(devicesSection.parse({ resources: [serial], ...places }), {
    onRules: (changed) => {
      configure = (settings) => {
        changed(devicesSection.parse({ resources: [serial], ...places, ...settings }));
      };
    },
    kubeletRoot: join(folder, 'kubelet'),
    stateDir: join(folder, 'state'),
    log,
    registry,
  });
  await service.start(new AbortController().signal);
  return service;
}

const view = (of: Service, name: string, asked = ''): readonly unknown[] =>
  (of.views?.[name]?.(asked) ?? []) as readonly unknown[];
const offered = (of: Service): readonly string[] =>
  (view(of, 'devices') as readonly DeviceView[]).map(({ resource }) => resource);
const rules = async (text: string): Promise<void> => {
  await writeFile(join(folder, 'rules/.next'), text);
  await rename(join(folder, 'rules/.next'), join(folder, 'rules/more.yaml'));
};
const more = 'resources: [{name: a.b/usb, match: [{subsystem: usb}]}]';

test('what is there is offered and shown, whatever the kubelet does', async () => {
  const running = await start();
  expect(offered(running)).toEqual(['a.b/serial']);
  expect(view(running, 'inventory')).toContainEqual(
    expect.objectContaining({ node: '/dev/ttyUSB0', resource: 'a.b/serial' }),
  );
  const [explanation] = view(running, 'explain', '/dev/ttyUSB0');
  expect(explanation).toMatchObject({ resources: [{ resource: 'a.b/serial', outcome: 'has' }] });
  expect(running.notReady()).toContain('a.b/serial is not registered with the kubelet');
  await running.stop(AbortSignal.timeout(1_000));
  expect(offered(running)).toEqual([]);
  expect(running.notReady()).toBe('not started');
});

test('rules are taken over while it runs, and with a mistake in them those before stay and a metric says so', async () => {
  const running = await start();
  await rules(more);
  await vi.waitFor(
    () => {
      expect(offered(running)).toContain('a.b/usb');
    },
    { timeout: 20_000 },
  );
  await rules('resources: [{name: a.b/usb}]');
  const refused = 'berth_device_source_degraded{source="rules"}';
  await vi.waitFor(
    async () => {
      expect(await registry.metrics()).toContain(`${refused} 1`);
    },
    { timeout: 20_000 },
  );
  expect(offered(running)).toContain('a.b/usb');
  await rules('resources: []');
  await vi.waitFor(
    async () => {
      expect(await registry.metrics()).toContain(`${refused} 0`);
      expect(offered(running)).toEqual(['a.b/serial']);
    },
    { timeout: 20_000 },
  );
});

test('other rules of the configuration are taken over at once, and what the folder has beside them stays', async () => {
  await rules(more);
  const running = await start();
  const names = (): readonly string[] => [...new Set(offered(running))];
  expect(names()).toEqual(['a.b/serial', 'a.b/usb']);
  configure({ resources: [{ ...serial, name: 'a.b/tty' }] });
  expect(names()).toEqual(['a.b/tty', 'a.b/usb']);
  expect(view(running, 'explain', '/dev/ttyUSB0')).toMatchObject([{ resources: [{ resource: 'a.b/tty' }, {}] }]);
  configure({ deny: ['/dev/ttyUSB*'] });
  expect(names()).toEqual(['a.b/usb']);
  // A name that the folder has, too: the configuration's is taken, and the folder has a mistake now.
  configure({ resources: [{ ...serial, name: 'a.b/usb' }] });
  expect(view(running, 'explain', '/dev/ttyUSB0')).toMatchObject([
    { resources: [{ resource: 'a.b/usb', outcome: 'has' }] },
  ]);
  const refused = 'berth_device_source_degraded{source="rules"}';
  await vi.waitFor(
    async () => {
      expect(await registry.metrics()).toContain(`${refused} 1`);
    },
    { timeout: 20_000 },
  );
  configure({});
  expect(names()).toEqual(['a.b/serial', 'a.b/usb']);
  await vi.waitFor(
    async () => {
      expect(await registry.metrics()).toContain(`${refused} 0`);
    },
    { timeout: 20_000 },
  );
});

test('rules that the configuration was given while the service did not run are those it starts with', async () => {
  const running = await start();
  await running.stop(AbortSignal.timeout(1_000));
  configure({ resources: [{ ...serial, name: 'a.b/tty' }] });
  await running.start(new AbortController().signal);
  expect(offered(running)).toEqual(['a.b/tty']);
});

test('rules that are there at the start are taken once', async () => {
  await rules(more);
  const told = vi.spyOn(log, 'info');
  const running = await start();
  expect(offered(running)).toContain('a.b/usb');
  await vi.waitFor(
    async () => {
      expect(await registry.metrics()).toContain('berth_device_source_degraded{source="rules"} 0');
    },
    { timeout: 20_000 },
  );
  expect(told).not.toHaveBeenCalledWith(expect.objectContaining({ event: 'device.rules' }), expect.anything());
});

const listenAndDie = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;

test('sockets of a killed agent are removed from both of the kubelet’s folders', async () => {
  const left = ['device-plugins', 'plugins_registry'].map((name) =>
    join(folder, 'kubelet', name, nextSocket('a.b/old')),
  );
  for (const path of left) {
    await mkdir(dirname(path), { recursive: true });
    spawnSync(process.execPath, ['-e', listenAndDie, path]);
    expect((await lstat(path)).isSocket()).toBe(true);
  }
  await start();
  for (const path of left) await expect(access(path)).rejects.toThrow('ENOENT');
});

test('a machine without sysfs is told of by the keys to look at', async () => {
  const running = createDeviceService(devicesSection.parse({ resources: [serial], sysRoot: folder }), {
    ...{ kubeletRoot: folder, stateDir: folder, log, registry: new Registry() },
  });
  await expect(running.start(new AbortController().signal)).rejects.toThrow(/there is no sysfs at .*devices\.sysRoot/);
  await running.stop(AbortSignal.timeout(1_000));
});
