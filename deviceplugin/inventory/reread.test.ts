import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseGlob } from '../config/pathglob.ts';
import { writeMachine } from '../fake/machine.ts';
import type { Machine } from '../fake/machine.ts';
import { recorded } from '../fake/recorded.ts';
import { usbDevpath } from '../fake/usb.ts';
import { keepEqual } from './changes.ts';
import { rereadDevice, rereadNodes, withoutDevices } from './reread.ts';
import { scanInventory } from './scan.ts';
import type { Wants } from './wants.ts';

let folder: string;
let machine: Machine;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-reread-')));
  machine = await writeMachine(folder, [...recorded.usbSerial('1-2'), ...recorded.nvme(), ...recorded.misc()]);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const wants: Wants = {
  globs: [parseGlob('/dev/mine/*')].filter((glob) => typeof glob !== 'string'),
  attributes: new Set(['power/runtime_status']),
};
const scan = async () => await scanInventory(machine.roots, wants);

test.each([
  ['a camera', recorded.camera('1-5'), usbDevpath('1-5')],
  ['an adapter behind a hub', recorded.usbSerial('1-1.4', { serial: 'B7', tty: 3, devnum: 9 }), usbDevpath('1-1')],
  ['a graphics card', recorded.gpu(), '/devices/pci0000:80/0000:80:01.0'],
  ['virtual functions', recorded.sriov(), '/devices/pci0000:3a'],
])('plugging in %s is read as a scan would read it, and so is unplugging', async (_what, devices, at) => {
  const before = await scan();
  await machine.plug(devices);
  // The node of an IOMMU group is no child of its function: the kernel tells of it by itself.
  const places = [at, ...devices.map(({ devpath }) => devpath).filter((path) => path.startsWith('/devices/virtual/'))];
  let inventory = before;
  for (const place of places) inventory = await rereadDevice(inventory, machine.roots, wants, place);
  expect(inventory).toEqual(await scan());
  expect(inventory.devices.size).toBeGreaterThan(before.devices.size);
  for (const place of places) {
    await machine.unplug(place);
    inventory = await rereadDevice(inventory, machine.roots, wants, place);
  }
  expect(inventory).toEqual(await scan());
  expect(inventory).toEqual(before);
});

test('an older inventory stays as it was', async () => {
  const before = await scan();
  const devices = before.devices.size;
  await machine.unplug(usbDevpath('1-2'));
  const after = await rereadDevice(before, machine.roots, wants, usbDevpath('1-2'));
  expect([before.devices.size, before.nodes.has('c188:0')]).toEqual([devices, true]);
  expect([after.devices.has(usbDevpath('1-2')), after.nodes.has('c188:0')]).toEqual([false, false]);
});

test('what is above a device belongs to the inventory as long as something below it does', async () => {
  const tty = `${usbDevpath('1-2')}/1-2:1.0/ttyUSB0/tty/ttyUSB0`;
  await machine.unplug(tty);
  const inventory = await rereadDevice(await scan(), machine.roots, wants, tty);
  // The port of usb-serial is there still, but nobody could want it.
  expect(inventory.devices.has(`${usbDevpath('1-2')}/1-2:1.0/ttyUSB0`)).toBe(false);
  expect(inventory.devices.has(`${usbDevpath('1-2')}/1-2:1.0`)).toBe(true);
  expect(inventory).toEqual(await scan());
});

test('the same adapter in another port is another device with another node', async () => {
  const before = await scan();
  await machine.unplug(usbDevpath('1-2'));
  await machine.plug(recorded.usbSerial('1-3', { devnum: 6, tty: 1 }));
  const gone = withoutDevices(before, machine.roots, wants, [usbDevpath('1-2')]);
  const inventory = await rereadDevice(gone, machine.roots, wants, usbDevpath('1-3'));
  expect(inventory).toEqual(await scan());
  expect(inventory.nodes.get('c188:1')?.device).toContain('/1-3/');
});

test('a link that a second stick with the same serial takes leads to that one alone', async () => {
  const before = await scan();
  const link = '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A5069RR4-if00-port0';
  expect(before.nodes.get('c188:0')?.links).toContain(link);
  await machine.plug(recorded.usbSerial('1-3', { devnum: 6, tty: 1 }));
  const inventory = await rereadDevice(before, machine.roots, wants, usbDevpath('1-3'));
  expect(inventory.nodes.get('c188:1')?.links).toContain(link);
  expect(inventory).toEqual(await scan());
});

test('links and properties of udev come with a second look', async () => {
  const devices = recorded.camera('1-5');
  await machine.plug(devices, { udev: false });
  const early = await rereadDevice(await scan(), machine.roots, wants, usbDevpath('1-5'));
  expect(early.nodes.get('c81:0')?.links).toEqual([]);
  await machine.settle(devices);
  const late = await rereadDevice(early, machine.roots, wants, usbDevpath('1-5'));
  expect(late.nodes.get('c81:0')?.links).toHaveLength(2);
  expect(late).toEqual(await scan());
});

test('a disk that comes is asked for its use', async () => {
  await machine.mount({ '259:2': '/data' });
  const disk = '/devices/pci0000:00/0000:00:1d.0';
  await machine.unplug(disk);
  const without = await scan();
  expect(without.inUse.size).toBe(0);
  await machine.plug(recorded.nvme());
  const inventory = await rereadDevice(without, machine.roots, wants, disk);
  expect(inventory.inUse.get('b259:2')).toBe('mounted at /data');
  expect(inventory.inUse.get('b259:0')).toBe('holds /dev/nvme0n1p2, which is mounted at /data');
});

test('interfaces of pods and things that are no devices are not even looked at', async () => {
  const before = await scan();
  for (const place of ['/devices/virtual/net/veth1', '/module/loop', '/kernel/slab/x', '/bus/usb/drivers/uas'])
    expect(await rereadDevice(before, machine.roots, wants, place)).toBe(before);
});

test('nodes and links that come and go below /dev are found by a look at names alone', async () => {
  const before = await scan();
  const mine = join(machine.roots.devRoot, 'mine');
  await mkdir(mine);
  await promisify(execFile)('mknod', [join(mine, 'a'), 'c', '240', '7']);
  await symlink('../fuse', join(mine, 'fuse'));
  await symlink('/etc/passwd', join(mine, 'out'));
  await rm(join(machine.roots.devRoot, 'kvm'));
  const after = await rereadNodes(before, machine.roots, wants);
  expect(after).toEqual(await scan());
  expect(after.nodes.get('c10:229')?.links).toEqual(['/dev/mine/fuse']);
  expect(after.misfits).toEqual([{ path: '/dev/mine/out', reason: 'leads out of /dev, to /etc/passwd' }]);
  await rm(mine, { recursive: true });
  await promisify(execFile)('mknod', [join(machine.roots.devRoot, 'kvm'), 'c', '10', '232']);
  expect(await rereadNodes(after, machine.roots, wants)).toEqual(before);
});

test('an inventory in which nothing changed is the one before', async () => {
  const before = await scan();
  expect(keepEqual(before, await scan())).toBe(before);
  await machine.plug(recorded.camera('1-5'));
  const after = keepEqual(before, await scan());
  expect(after).not.toBe(before);
  expect(after.devices.get(usbDevpath('1-2'))).toBe(before.devices.get(usbDevpath('1-2')));
});
