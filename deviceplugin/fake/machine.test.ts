import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, readlink, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeMachine } from './machine.ts';
import { recorded } from './recorded.ts';
import { usbDevpath } from './usb.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-machine-')));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Paths below a folder; Node's own recursive reading follows links, and those of sysfs lead round and round. */
async function everythingIn(path: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('find', [path, '-printf', '%P\\n']);
  return stdout.trim().split('\n');
}

test('a serial adapter is there as the kernel and udev show it', async () => {
  const { roots } = await writeMachine(folder, recorded.usbSerial('1-1.4'));
  const place = `${roots.sysRoot}${usbDevpath('1-1.4')}/1-1.4:1.0/ttyUSB0/tty/ttyUSB0`;
  expect(await realpath(join(roots.sysRoot, 'dev/char/188:0'))).toBe(place);
  expect(await realpath(join(roots.sysRoot, 'class/tty/ttyUSB0'))).toBe(place);
  expect(await realpath(join(place, 'subsystem'))).toBe(join(roots.sysRoot, 'class/tty'));
  expect(await readFile(join(place, 'uevent'), 'utf8')).toBe('MAJOR=188\nMINOR=0\nDEVNAME=ttyUSB0\n');
  const node = await stat(join(roots.devRoot, 'ttyUSB0'));
  expect([node.isCharacterDevice(), node.rdev]).toEqual([true, 188 << 8]);
  expect(await readdir(join(roots.devRoot, 'bus/usb/001'))).toEqual(['001', '005', '100']);
  expect(await readlink(join(roots.devRoot, 'serial/by-path/pci-0000:00:14.0-usb-0:1.4:1.0-port0'))).toBe(
    '../../ttyUSB0',
  );
  expect(await readFile(join(roots.udevRoot, 'data/c188:0'), 'utf8')).toContain('\nE:ID_SERIAL_SHORT=A5069RR4\n');
});

test('unplugging takes everything away that plugging brought, and says so as the kernel does', async () => {
  const machine = await writeMachine(folder, recorded.usbSerial('1-2'));
  const before = await everythingIn(folder);
  const added = await machine.plug(recorded.camera('1-5'));
  const removed = await machine.unplug(usbDevpath('1-5'));
  expect(removed.map(({ action, devpath }) => [action, devpath])).toEqual(
    added.map(({ devpath }) => ['remove', devpath]).reverse(),
  );
  const after = await everythingIn(folder);
  const left = after.filter((path) => !before.includes(path));
  // Folders of subsystems, drivers and links stay, as they do on a real machine.
  expect(left.filter((path) => /video|card|event|1-5|046d/.test(path.slice(path.lastIndexOf('/') + 1)))).toEqual(
    ['sys/class/video4linux', 'sys/bus/usb/drivers/uvcvideo'].sort(),
  );
});

test('udev comes after the kernel where a test wants it so', async () => {
  const machine = await writeMachine(folder, []);
  const devices = recorded.usbSerial('1-2');
  await machine.plug(devices, { udev: false });
  await expect(stat(join(machine.roots.devRoot, 'serial'))).rejects.toThrow('ENOENT');
  await machine.settle(devices);
  expect(await readdir(join(machine.roots.devRoot, 'serial/by-id'))).toHaveLength(1);
});
