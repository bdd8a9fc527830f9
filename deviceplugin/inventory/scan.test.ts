import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseGlob } from '../config/pathglob.ts';
import { writeMachine } from '../fake/machine.ts';
import type { Machine } from '../fake/machine.ts';
import { recorded } from '../fake/recorded.ts';
import type { RecordedDevice } from '../fake/recordeddevice.ts';
import { usbDevpath } from '../fake/usb.ts';
import { lineage } from './inventory.ts';
import type { Inventory } from './inventory.ts';
import { scanInventory } from './scan.ts';
import type { Wants } from './wants.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-scan-')));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function wanting(patterns: readonly string[], attributes: readonly string[] = []): Wants {
  const globs = patterns.map(parseGlob).filter((glob) => typeof glob !== 'string');
  return { globs, attributes: new Set(attributes) };
}
const nothing = wanting([]);

async function machineOf(...devices: readonly (readonly RecordedDevice[])[]): Promise<Machine> {
  return await writeMachine(folder, devices.flat());
}

function named(inventory: Inventory, name: string) {
  return [...inventory.devices.values()].filter((device) => device.name === name).at(-1);
}

test('a serial adapter leads from its node through port and interface to the USB device and its controller', async () => {
  const { roots } = await machineOf(recorded.usbSerial('1-2'));
  const inventory = await scanInventory(roots, nothing);
  const node = inventory.nodes.get('c188:0');
  expect(node).toEqual({
    number: 'c188:0',
    path: '/dev/ttyUSB0',
    links: [
      '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A5069RR4-if00-port0',
      '/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0',
    ],
    device: `${usbDevpath('1-2')}/1-2:1.0/ttyUSB0/tty/ttyUSB0`,
  });
  const line = lineage(inventory, node?.device);
  expect(line.map(({ subsystem, name, driver }) => [subsystem, name, driver])).toEqual([
    ['tty', 'ttyUSB0', undefined],
    ['usb-serial', 'ttyUSB0', 'ftdi_sio'],
    ['usb', '1-2:1.0', 'ftdi_sio'],
    ['usb', '1-2', 'usb'],
    ['usb', 'usb1', 'usb'],
    ['pci', '0000:00:14.0', 'xhci_hcd'],
  ]);
  expect(line[2]).toMatchObject({
    devtype: 'usb_interface',
    modalias: 'usb:v0403p6001d0100dc00dsc00dp00icFFiscFFipFFin00',
    attributes: { bInterfaceClass: 'ff', bInterfaceNumber: '00' },
  });
  expect(line[3]).toMatchObject({
    devtype: 'usb_device',
    number: 'c189:4',
    attributes: { idVendor: '0403', idProduct: '6001', serial: 'A5069RR4', devpath: '2', speed: '480' },
    udev: { ID_SERIAL_SHORT: 'A5069RR4' },
  });
  expect(line[5]).toMatchObject({ attributes: { class: '0x0c0330' }, numaNode: undefined, iommuGroup: '4' });
  expect(inventory.nodes.get('c189:4')?.path).toBe('/dev/bus/usb/001/005');
});

test('a camera has its video, sound and input nodes below one USB device', async () => {
  const { roots } = await machineOf(recorded.camera('1-5'));
  const inventory = await scanInventory(roots, nothing);
  const above = [...inventory.nodes.values()].filter(({ device }) => device?.startsWith(`${usbDevpath('1-5')}/`));
  expect(above.map(({ path }) => path).sort()).toEqual([
    '/dev/input/event5',
    '/dev/snd/controlC1',
    '/dev/snd/pcmC1D0c',
    '/dev/video0',
    '/dev/video1',
  ]);
  expect(named(inventory, 'video1')?.attributes).toEqual({ index: '1', name: 'HD Pro Webcam C920' });
});

test('a graphics card has its NUMA node and IOMMU group; a connector is nothing to have', async () => {
  const { roots } = await machineOf(recorded.gpu());
  const inventory = await scanInventory(roots, nothing);
  expect(named(inventory, '0000:81:00.0')).toMatchObject({ numaNode: 1, iommuGroup: '41', driver: 'amdgpu' });
  expect([...inventory.nodes.values()].map(({ path }) => path)).toEqual(['/dev/dri/card1', '/dev/dri/renderD129']);
  expect(named(inventory, 'card1-DP-1')).toBeUndefined();
});

test('virtual functions know their physical one, their group, and their interface', async () => {
  const { roots } = await machineOf(recorded.sriov());
  const inventory = await scanInventory(roots, nothing);
  const physical = named(inventory, '0000:3b:00.0');
  expect(physical?.attributes).toMatchObject({ sriov_totalvfs: '64', sriov_numvfs: '4' });
  expect(named(inventory, '0000:3b:02.1')).toMatchObject({
    driver: 'vfio-pci',
    iommuGroup: '72',
    physicalFunction: physical?.devpath,
  });
  expect(named(inventory, '0000:3b:02.3')?.driver).toBeUndefined();
  expect(named(inventory, 'ens1f0v0')).toMatchObject({
    parent: named(inventory, '0000:3b:02.0')?.devpath,
    attributes: { address: '02:00:00:a0:00:01' },
    udev: { ID_NET_NAME_SLOT: 'ens1f0v0' },
  });
  expect(inventory.nodes.get('c241:72')?.path).toBe('/dev/vfio/72');
});

test('attributes that rules name are read of every device that has them', async () => {
  const { roots } = await machineOf(recorded.usbSerial('1-2'), recorded.gpu());
  const inventory = await scanInventory(roots, wanting([], ['power/runtime_status', 'mem_info_vram_total', 'none']));
  expect(named(inventory, '1-2')?.attributes['power/runtime_status']).toBe('active');
  expect(named(inventory, '0000:81:00.0')?.attributes.mem_info_vram_total).toBe('68702699520');
  expect(named(inventory, '1-2:1.0')?.attributes).not.toHaveProperty('none');
});

test('what a device says of itself is taken as it is, cut at 4 KiB', async () => {
  const evil = '$(reboot)\u0000\u001b[2J../../"\n{{id}}';
  const { roots } = await machineOf(
    recorded.usbSerial('1-2', { serial: evil }),
    recorded.usbSerial('1-3', { serial: 'x'.repeat(10_000), tty: 1, devnum: 6 }),
  );
  const inventory = await scanInventory(roots, nothing);
  expect(named(inventory, '1-2')?.attributes.serial).toBe(evil);
  expect(named(inventory, '1-3')?.attributes.serial).toBe('x'.repeat(4_096));
});

test('an attribute that cannot be read is absent, and so is a device whose folder has just gone', async () => {
  const { roots } = await machineOf(recorded.usbSerial('1-2'));
  const device = join(roots.sysRoot, usbDevpath('1-2'));
  await unlink(join(device, 'serial'));
  await mkdir(join(device, 'serial'));
  await rm(join(device, '1-2:1.0/ttyUSB0/tty'), { recursive: true });
  const inventory = await scanInventory(roots, nothing);
  expect(named(inventory, '1-2')?.attributes).not.toHaveProperty('serial');
  expect(inventory.nodes.has('c188:0')).toBe(false);
});

test('a node that /dev does not have is none, and neither is another one at its name', async () => {
  const { roots } = await machineOf(recorded.misc());
  await unlink(join(roots.devRoot, 'fuse'));
  await unlink(join(roots.devRoot, 'kvm'));
  await promisify(execFile)('mknod', [join(roots.devRoot, 'kvm'), 'c', '10', '1']);
  const inventory = await scanInventory(roots, nothing);
  expect(named(inventory, 'fuse')?.number).toBe('c10:229');
  expect([...inventory.nodes.values()].map(({ path }) => path)).toEqual([
    '/dev/net/tun',
    '/dev/uinput',
    '/dev/vhost-net',
  ]);
});

test('a pattern finds nodes and links that neither sysfs nor udev know', async () => {
  const { roots } = await machineOf(recorded.misc());
  await mkdir(join(roots.devRoot, 'mine'));
  await promisify(execFile)('mknod', [join(roots.devRoot, 'mine/a'), 'c', '240', '7']);
  await promisify(execFile)('mknod', [join(roots.devRoot, 'mine/b'), 'c', '240', '7']);
  await symlink('../fuse', join(roots.devRoot, 'mine/fuse'));
  const { nodes } = await scanInventory(roots, wanting(['/dev/mine/*']));
  expect(nodes.get('c240:7')).toEqual({
    number: 'c240:7',
    path: '/dev/mine/a',
    links: ['/dev/mine/b'],
    device: undefined,
  });
  expect(nodes.get('c10:229')).toMatchObject({ path: '/dev/fuse', links: ['/dev/mine/fuse'] });
});

test('links are found without a udev database', async () => {
  const { roots } = await machineOf(recorded.usbSerial('1-2'));
  await rm(roots.udevRoot, { recursive: true });
  const inventory = await scanInventory(roots, nothing);
  expect(inventory.nodes.get('c188:0')?.links).toHaveLength(2);
  expect(named(inventory, '1-2')?.udev).toEqual({});
});

test('a link that udev names and that leads elsewhere is none', async () => {
  const { roots } = await machineOf(recorded.usbSerial('1-2'), recorded.misc());
  const byId = join(roots.devRoot, 'serial/by-id/usb-FTDI_FT232R_USB_UART_A5069RR4-if00-port0');
  await unlink(byId);
  await symlink('../../fuse', byId);
  const { nodes } = await scanInventory(roots, nothing);
  expect(nodes.get('c188:0')?.links).toEqual(['/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0']);
  expect(nodes.get('c10:229')?.links).toEqual(['/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A5069RR4-if00-port0']);
});

test('a file and a link out of /dev that a pattern finds are named and not offered', async () => {
  const { roots } = await machineOf();
  await mkdir(join(roots.devRoot, 'a'));
  await writeFile(join(roots.devRoot, 'a/file'), '');
  await symlink('/dev/null', join(roots.devRoot, 'a/out'));
  const { nodes, misfits } = await scanInventory(roots, wanting(['/dev/a/*']));
  expect(nodes.size).toBe(0);
  expect(misfits).toEqual([
    { path: '/dev/a/file', reason: 'is no device node' },
    { path: '/dev/a/out', reason: 'leads out of /dev, to /dev/null' },
  ]);
});

test.each(['/dev/missing/*', '/dev/file/*', '/dev/loop/*'])(
  'a folder that is none (%s) has no devices',
  async (pattern) => {
    const { roots } = await machineOf();
    await writeFile(join(roots.devRoot, 'file'), '');
    await symlink('loop', join(roots.devRoot, 'loop'));
    expect(await scanInventory(roots, wanting([pattern]))).toMatchObject({ nodes: new Map(), misfits: [] });
  },
);

test('disks that the node uses are named with their use, with the whole disk and its controller', async () => {
  const machine = await machineOf(recorded.nvme());
  const { roots } = machine;
  await machine.mount({ '259:2': '/' });
  expect((await scanInventory(roots, nothing)).inUse).toEqual(
    new Map([
      ['b259:2', 'mounted at /'],
      ['b259:0', 'holds /dev/nvme0n1p2, which is mounted at /'],
      ['c242:0', 'leads to /dev/nvme0n1: holds /dev/nvme0n1p2, which is mounted at /'],
    ]),
  );
  await machine.mount({});
  await machine.swap(['/dev/disk/by-path/pci-0000:04:00.0-nvme-1-part1']);
  expect((await scanInventory(roots, nothing)).inUse.get('b259:1')).toBe('swap');
  await machine.swap([]);
  const part = '/devices/pci0000:00/0000:00:1d.0/0000:04:00.0/nvme/nvme0/nvme0n1/nvme0n1p1';
  await symlink('/sys/devices/virtual/block/dm-0', join(roots.sysRoot, part, 'holders/dm-0'));
  expect((await scanInventory(roots, nothing)).inUse.get('b259:1')).toBe('part of /dev/dm-0');
});

test('a process without descriptors knows nothing new, which is no list of devices', async () => {
  // More files than this process may have, in a process of its own.
  const script = `
    const { scanInventory } = await import('${join(import.meta.dirname, 'scan.ts')}');
    const { openSync } = await import('node:fs');
    const roots = { devRoot: '/dev', sysRoot: '/sys', udevRoot: '/run/udev', procRoot: '/proc' };
    try { for (;;) openSync('/dev/null'); } catch {}
    await scanInventory(roots, { globs: [], attributes: new Set() }).then(() => console.log('a list'), ({ code }) => console.log(code));`;
  const limited = ['-c', 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"', process.execPath, script];
  expect((await promisify(execFile)('sh', limited)).stdout.trim()).toBe('EMFILE');
});

test('without a sysfs where it should be the scan says what to correct', async () => {
  const { roots } = await machineOf();
  await rm(roots.sysRoot, { recursive: true });
  await expect(scanInventory(roots, nothing)).rejects.toThrow(`no sysfs at ${roots.sysRoot}`);
});

test('this machine has its own /dev/null', async () => {
  const roots = { devRoot: '/dev', sysRoot: '/sys', udevRoot: '/run/udev', procRoot: '/proc' };
  const { nodes } = await scanInventory(roots, nothing);
  expect(nodes.get('c1:3')).toMatchObject({ path: '/dev/null', device: '/devices/virtual/mem/null' });
});
