/** The whole service, with several resources, and a kubelet that has bad days. */
import { readdir, rm } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { recorded } from '../../deviceplugin/fake/recorded.ts';
import { usbDevpath } from '../../deviceplugin/fake/usb.ts';
import { MachineUnderService } from './devices/machine.ts';
import { healthOf, healthy, kubelet, lines, service, startKubelet, stopService } from './devices/scene.ts';

const names = {
  serial: 'example.com/serial',
  camera: 'example.com/camera',
  gpu: 'example.com/gpu',
  none: 'example.com/none',
};
const resources = [
  { name: names.serial, match: [{ subsystem: 'tty', usb: { vendor: '0403' } }] },
  { name: names.camera, match: [{ subsystem: 'video4linux', attributes: { index: '0' } }], injection: 'cdi' },
  { name: names.gpu, match: [{ subsystem: 'drm', name: 'renderD*' }], sharing: { replicas: 1 } },
  { name: names.none, paths: ['/dev/none'] },
];
const machineWithAll = (): Promise<MachineUnderService> =>
  MachineUnderService.with([...recorded.usbSerial('1-2'), ...recorded.camera('1-5'), ...recorded.gpu()]);

async function allThere(): Promise<void> {
  await Promise.all([healthy(names.serial, 1), healthy(names.camera, 1), healthy(names.gpu, 1)]);
  await kubelet.until(() => (kubelet.resources.get(names.none)?.lists ?? 0) > 0);
}

const sockets = async (): Promise<string[]> =>
  (await readdir(kubelet.directory)).filter((name) => name !== 'kubelet.sock').toSorted();
const endpoints = (): string[] => [...kubelet.resources.values()].map(({ endpoint }) => endpoint).toSorted();

test('a hundred restarts in a row, devices coming and going meanwhile: everything is registered and right at the end', async () => {
  const machine = await machineWithAll();
  await startKubelet();
  await machine.serve({ resources });
  await allThere();
  for (let round = 0; round < 100; round++) {
    if (round % 10 === 3) await machine.unplug(usbDevpath('1-2'));
    if (round % 10 === 6) await machine.plug(recorded.usbSerial('1-2', { devnum: 10 + round }));
    // Every third time in the middle of whatever the sessions do.
    if (round % 3 !== 0) await kubelet.until(() => (kubelet.resources.get(names.gpu)?.lists ?? 0) > 0);
    await kubelet.restart();
  }
  await allThere();
  await vi.waitFor(
    async () => {
      expect(service.notReady()).toBeUndefined();
      expect(await sockets()).toEqual(endpoints());
    },
    { timeout: 20_000 },
  );
  expect(kubelet.mostRegistering).toBe(1);
});

test('one that removes its directory and starts anew, again and again: every resource is back', async () => {
  const machine = await machineWithAll();
  await startKubelet();
  await machine.serve({ resources });
  for (let round = 0; round < 5; round++) {
    await allThere();
    await rm(kubelet.directory, { recursive: true });
    await kubelet.restart();
  }
  await allThere();
});

test('one that does not come: the service starts, says what it waits for, follows its devices, and stops', async () => {
  const machine = await machineWithAll();
  await machine.serve({ resources });
  await vi.waitFor(
    () => {
      for (const name of Object.values(names)) expect(service.notReady()).toContain(`${name} is not registered`);
    },
    { timeout: 20_000 },
  );
  await machine.unplug(usbDevpath('1-2'));
  await expect
    .poll(() => service.views?.['devices']?.(''))
    .toContainEqual(expect.objectContaining({ resource: names.serial, health: 'Unhealthy' }));
  await stopService();
  await machine.serve({ resources });
  await startKubelet();
  await Promise.all([healthy(names.camera, 1), healthy(names.gpu, 1)]);
});

test('one that stops reading: others that ask are answered, and when it reads on it has what is there', async () => {
  const machine = await machineWithAll();
  await startKubelet({ stopsReading: true });
  await machine.serve({ resources: resources.map((rule) => ({ ...rule, sharing: { replicas: 10_000 } })) });
  await kubelet.until(() => kubelet.registrations.length === resources.length);
  await vi.waitFor(
    () => {
      expect(service.notReady()).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  for (let round = 0; round < 50; round++) {
    await machine.unplug(usbDevpath('1-2'));
    await machine.plug(recorded.usbSerial('1-2', { devnum: 10 + round }));
  }
  expect(service.views?.['devices']?.('')).toHaveLength(3);
  kubelet.resume();
  await kubelet.until(() => Object.values(healthOf(names.serial)).join() === 'Healthy');
  await kubelet.until(() => Object.values(kubelet.resources.get(names.serial)?.health ?? {}).length === 10_000);
  expect(lines.filter(({ event }) => event === 'device.session_lost')).toEqual([]);
});
