/** A full disk below what the device service writes: the CDI folder, and the identities it must remember. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recorded } from '../../deviceplugin/fake/recorded.ts';
import { usbDevpath } from '../../deviceplugin/fake/usb.ts';
import { errnoOf } from '../../kit/errors.ts';
import { MachineUnderService } from './devices/machine.ts';
import {
  folder,
  healthOf,
  healthy,
  idsOf,
  kubelet,
  lines,
  service,
  startKubelet,
  stopService,
} from './devices/scene.ts';

const cdi = 'example.com/cdi';
const spec = 'example.com/spec';
const resources = [
  { name: cdi, match: [{ subsystem: 'tty', usb: { vendor: '0403' } }], injection: 'cdi' },
  { name: spec, match: [{ subsystem: 'video4linux', attributes: { index: '0' } }] },
];

let disk = '';
beforeEach(async () => {
  disk = join(folder, 'cdi');
  await startKubelet();
});
afterEach(async () => {
  await stopService();
  execFileSync('umount', [disk]);
});

async function small(path: string): Promise<void> {
  disk = path;
  await mkdir(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'berth-test', disk]);
}

function fill(): void {
  const fd = openSync(join(disk, 'filler'), 'a');
  try {
    for (;;) writeSync(fd, Buffer.alloc(4_096));
  } catch (thrown) {
    expect(errnoOf(thrown)).toBe('ENOSPC');
  } finally {
    closeSync(fd);
  }
}

test('with the CDI folder full, what only CDI gives is unhealthy with the reason, all else goes on, and it heals by itself', async () => {
  await small(join(folder, 'cdi'));
  const machine = await MachineUnderService.with(recorded.usbSerial('1-2'));
  await machine.serve({ resources });
  await healthy(cdi, 1);
  const before = await readFile(join(disk, 'berth-example.com_cdi.json'), 'utf8');
  fill();
  await machine.plug(recorded.usbSerial('1-4', { serial: 'B', tty: 1, devnum: 6 }));
  await machine.plug(recorded.camera('1-5'));
  await healthy(spec, 1);
  await kubelet.until(() => Object.values(healthOf(cdi)).join() === 'Unhealthy,Unhealthy');
  await expect(kubelet.allocate(cdi, [`${idsOf(cdi)[0] ?? ''}::0`])).rejects.toThrow(
    /its file cannot be written: .*full|no space/i,
  );
  // Once for each resource that it meets.
  const told = lines.filter(({ event }) => event === 'device.cdi_failed');
  expect(told.length).toBeLessThanOrEqual(resources.length);
  expect(await readFile(join(disk, 'berth-example.com_cdi.json'), 'utf8')).toBe(before);
  await rm(join(disk, 'filler'));
  await healthy(cdi, 2);
});

test('with the state folder full, IDs stay as they are, it is said, and they are saved with the next change that finds room', async () => {
  await small(join(folder, 'state'));
  const machine = await MachineUnderService.with(recorded.misc());
  await machine.serve({ resources: [{ ...resources[0], injection: 'devicespec' }] });
  fill();
  const [first, second] = [
    recorded.usbSerial('1-3', { serial: 'same', tty: 0, devnum: 5 }),
    recorded.usbSerial('1-4', { serial: 'same', tty: 1, devnum: 6 }),
  ];
  await machine.plug(second);
  await healthy(cdi, 1);
  const [holder = ''] = idsOf(cdi);
  await machine.plug(first);
  await healthy(cdi, 2);
  expect(idsOf(cdi)).toContain(holder);
  await expect.poll(() => lines.map(({ event }) => event)).toContain('device.memory_not_saved');
  await rm(join(disk, 'filler'));
  await machine.unplug(usbDevpath('1-3'));
  await kubelet.until(() => Object.values(healthOf(cdi)).includes('Unhealthy'));
  await stopService();
  await machine.plug(first);
  await machine.serve({ resources: [{ ...resources[0], injection: 'devicespec' }] });
  await healthy(cdi, 2);
  // The one that was there first has the serial's ID still, though the other's port comes before.
  expect(service.views?.['devices']?.('')).toContainEqual(
    expect.objectContaining({ id: holder, nodes: ['/dev/ttyUSB1'] }),
  );
});
