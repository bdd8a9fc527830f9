/** The device service on this machine's kernel: what comes and goes is with the kubelet, in storms and in great numbers too. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { check, libc } from '../../linux/libc.ts';
import { LoopDevices } from './loopdevices.ts';
import {
  folder,
  healthOf,
  healthy,
  idsOf,
  kubelet,
  lines,
  pathsGiven,
  registry,
  startKubelet,
  startService,
} from './devices/scene.ts';

const makeNode = libc('int mknod(const char *path, unsigned int mode, unsigned long device)');
const resource = 'berth.dev/loop';

let loops: LoopDevices;
let glob: string;
beforeEach(() => {
  loops = new LoopDevices(920_000 + (process.pid % 1_000) * 10);
  glob = `/dev/loop${loops.first / 10}?`;
});
afterEach(() => {
  loops.close();
});

test('a device that the kernel makes is with the kubelet and can be allocated; removed, it is unhealthy and refused', async () => {
  await startKubelet();
  await startService({ resources: [{ name: resource, paths: [glob] }] });
  await kubelet.until(() => kubelet.resources.get(resource)?.lists === 1);
  loops.add(0);
  await healthy(resource, 1);
  expect(await pathsGiven(resource, idsOf(resource))).toEqual([loops.path(0)]);
  const [id = ''] = idsOf(resource);
  loops.remove(0);
  await kubelet.until(() => healthOf(resource)[id] === 'Unhealthy');
  await expect(pathsGiven(resource, [id])).rejects.toThrow(`${id} (${loops.path(0)}) cannot be used`);
  loops.add(0);
  await healthy(resource, 1);
  expect(idsOf(resource)).toEqual([id]);
  expect(await registry.metrics()).toMatch(/berth_device_hotplug_latency_seconds_count [3-9]/);
});

test('2,000 events in a burst, with new devices among them: few lists for the kubelet, and the last is right', async () => {
  await startKubelet();
  await startService({ resources: [{ name: resource, paths: [glob] }] });
  await kubelet.until(() => kubelet.resources.get(resource)?.lists === 1);
  const fd = openSync('/sys/devices/virtual/mem/null/uevent', 'w');
  for (let index = 0; index < 2_000; index++) {
    writeSync(fd, `change ${randomUUID()}`);
    if (index % 200 === 100) loops.add(index / 200 - 0.5);
  }
  closeSync(fd);
  await healthy(resource, 10);
  expect(kubelet.resources.get(resource)?.lists).toBeLessThanOrEqual(5);
  expect(await pathsGiven(resource, [idsOf(resource)[9] ?? ''])).toEqual([loops.path(9)]);
  expect(await registry.metrics()).toContain('berth_device_source_degraded{source="uevents"} 0');
});

test('a storm that overflows the kernel’s queue while devices come and go: what is there at the end is what the kubelet has', async () => {
  await startKubelet();
  await startService({ resources: [{ name: resource, paths: [glob] }] });
  await kubelet.until(() => kubelet.resources.get(resource)?.lists === 1);
  loops.add(0);
  loops.add(1);
  await healthy(resource, 2);
  const fd = openSync('/sys/devices/virtual/mem/null/uevent', 'w');
  // Synchronously, so that the service reads nothing meanwhile: 30 MiB for a queue of 16 MiB.
  const padding = 'x'.repeat(1_000);
  for (let index = 0; index < 20_000; index++) writeSync(fd, `change ${randomUUID()} PADDING=${padding}`);
  closeSync(fd);
  loops.remove(0);
  loops.add(2);
  await vi.waitFor(
    () => {
      expect(lines.map(({ event }) => event)).toContain('device.events_lost');
    },
    { timeout: 20_000 },
  );
  await kubelet.until(() => Object.values(healthOf(resource)).sort().join() === 'Healthy,Healthy,Unhealthy');
  const left = Object.entries(healthOf(resource)).filter(([, health]) => health === 'Healthy');
  expect(
    await pathsGiven(
      resource,
      left.map(([id]) => id),
    ),
  ).toEqual([loops.path(1), loops.path(2)]);
});

test('10,000 devices are found, told to the kubelet, chosen from and allocated', async () => {
  const devRoot = join(folder, 'dev');
  await mkdir(devRoot);
  // Of a major number no driver has: they are never opened.
  const number = (minor: number): number => (240 << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
  for (let index = 0; index < 10_000; index++) {
    const path = join(devRoot, `port${index}`);
    check(makeNode(path, constants.S_IFCHR | 0o600, number(index)), 'mknod', path);
  }
  await startKubelet();
  await startService({ devRoot, resources: [{ name: 'berth.dev/port', paths: ['/dev/port*'] }] });
  await healthy('berth.dev/port', 10_000);
  expect(kubelet.resources.get('berth.dev/port')?.lists).toBe(1);
  const chosen = await kubelet.preferred('berth.dev/port', 3);
  expect(chosen).toEqual(await kubelet.preferred('berth.dev/port', 3));
  const answer = await kubelet.allocate('berth.dev/port', [...chosen]);
  expect(answer?.devices).toHaveLength(3);
  await rm(join(devRoot, 'port77'));
  await kubelet.until(() => Object.values(healthOf('berth.dev/port')).includes('Unhealthy'));
  const away = Object.entries(healthOf('berth.dev/port')).filter(([, health]) => health === 'Unhealthy');
  expect(away).toHaveLength(1);
  expect(away[0]?.[0]).toMatch(/^port77-/);
});
