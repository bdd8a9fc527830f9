import { expect, test } from 'vitest';
import { inventoryOf } from '../fake/inventoryof.ts';
import { recorded } from '../fake/recorded.ts';
import type { RecordedDevice } from '../fake/recordeddevice.ts';
import type { SysDevice } from './inventory.ts';
import { parseSwaps, usesOf } from './inuse.ts';
import type { UseEvidence } from './inuse.ts';

function block(name: string, number: string, parent?: string): [string, SysDevice] {
  const devpath = parent === undefined ? `/devices/${name}` : `/devices/${parent}/${name}`;
  const device: SysDevice = {
    devpath,
    name,
    subsystem: 'block',
    devtype: parent === undefined ? 'disk' : 'partition',
    driver: undefined,
    modalias: undefined,
    number,
    parent: parent === undefined ? undefined : `/devices/${parent}`,
    numaNode: undefined,
    iommuGroup: undefined,
    physicalFunction: undefined,
    attributes: {},
    udev: {},
  };
  return [devpath, device];
}

const devices = new Map([
  block('sda', 'b8:0'),
  block('sda1', 'b8:1', 'sda'),
  block('sda2', 'b8:2', 'sda'),
  block('sdb', 'b8:16'),
  block('dm-0', 'b252:0'),
]);

const idle: UseEvidence = {
  mounts: [],
  swaps: [],
  holders: new Map(),
  btrfs: new Set(),
  numberAt: (path) => ({ '/dev/sdb': 'b8:16', '/dev/sda2': 'b8:2' })[path],
};

test.each<[string, Partial<UseEvidence>, Record<string, string>]>([
  ['nothing is in use', {}, {}],
  [
    'a mounted partition keeps its disk',
    { mounts: [{ device: '8:1', mountPoint: '/', source: '/dev/root' }] },
    { 'b8:1': 'mounted at /', 'b8:0': 'holds /dev/sda1, which is mounted at /' },
  ],
  [
    'of several mounts the first is named',
    {
      mounts: [
        { device: '8:16', mountPoint: '/data', source: '/dev/sdb' },
        { device: '8:16', mountPoint: '/var/lib/pod', source: '/dev/sdb' },
      ],
    },
    { 'b8:16': 'mounted at /data' },
  ],
  [
    'a btrfs has a number of its own; its source and its parts are in use',
    {
      mounts: [{ device: '0:42', mountPoint: '/pool', source: '/dev/sdb' }],
      btrfs: new Set(['sdb', 'sda2']),
    },
    {
      'b8:16': 'mounted at /pool',
      'b8:2': 'part of a btrfs filesystem',
      'b8:0': 'holds /dev/sda2, which is part of a btrfs filesystem',
    },
  ],
  ['swap is a use', { swaps: ['/dev/sdb', '/swapfile'] }, { 'b8:16': 'swap' }],
  [
    'what a mounted volume is built on is in use with it',
    {
      mounts: [{ device: '252:0', mountPoint: '/srv', source: '/dev/mapper/vg-srv' }],
      holders: new Map([['/devices/sdb', ['dm-0']]]),
    },
    { 'b252:0': 'mounted at /srv', 'b8:16': 'part of /dev/dm-0' },
  ],
  [
    'the source of a network mount is no device',
    { mounts: [{ device: '0:50', mountPoint: '/n', source: 'h:/x' }] },
    {},
  ],
])('%s', (_what, evidence, uses) => {
  expect(Object.fromEntries(usesOf(devices, { ...idle, ...evidence }))).toEqual(uses);
});

test('a loop device is in use while it is attached to a file, mounted or not', () => {
  const [devpath, free] = block('loop7', 'b7:7');
  expect(usesOf(new Map([[devpath, free]]), idle).size).toBe(0);
  const attached = { ...free, attributes: { 'loop/backing_file': '/var/lib/berth/pools/default/x.img' } };
  expect(usesOf(new Map([[devpath, attached]]), idle).get('b7:7')).toBe('attached to a file');
});

test('a disk in use is so by its other nodes, too: NVMe controllers and namespaces, SCSI units, the USB stick', () => {
  const device = (devpath: string, subsystem: string, number?: string, devtype?: string): RecordedDevice => ({
    devpath,
    subsystem: `bus/${subsystem}`,
    ...(devtype === undefined ? {} : { uevent: { DEVTYPE: devtype } }),
    ...(number === undefined
      ? {}
      : {
          node: {
            kind: number[0] as 'b' | 'c',
            major: Number(number.slice(1).split(':')[0]),
            minor: Number(number.split(':')[1]),
            name: devpath.split('/').at(-1)!,
          },
        }),
  });
  const stick = '/devices/usb1/1-2';
  const machine = inventoryOf([
    ...recorded.nvme(),
    device('/devices/pci0000:00/0000:00:1d.0/0000:04:00.0/nvme/nvme0/ng0n1', 'nvme-generic', 'c243:0'),
    device(stick, 'usb', 'c189:1', 'usb_device'),
    ...['0', '1'].flatMap((unit) => [
      device(`${stick}/host0/0:0:0:${unit}`, 'scsi'),
      device(`${stick}/host0/0:0:0:${unit}/block/sd${unit}`, 'block', `b8:${unit}`),
      device(`${stick}/host0/0:0:0:${unit}/scsi_generic/sg${unit}`, 'scsi_generic', `c21:${unit}`),
    ]),
  ]);
  const mounts = [
    { device: '259:2', mountPoint: '/', source: '/dev/root' },
    { device: '8:0', mountPoint: '/boot', source: '/dev/sd0' },
  ];
  const uses = usesOf(machine.devices, { ...idle, mounts });
  const root = 'leads to /dev/nvme0n1: holds /dev/nvme0n1p2, which is mounted at /';
  expect(Object.fromEntries([...uses].filter(([number]) => number.startsWith('c')))).toEqual({
    'c242:0': root,
    'c243:0': root,
    'c189:1': 'leads to /dev/sd0: mounted at /boot',
    'c21:0': 'leads to /dev/sd0: mounted at /boot',
  });
});

test('of the table of swaps only paths are taken, unescaped', () => {
  const text = 'Filename\t\tType\n/dev/dm-1    partition\t8388604\n/swap\\040file file\t1024\nzzz\n';
  expect(parseSwaps(text)).toEqual(['/dev/dm-1', '/swap file']);
});
