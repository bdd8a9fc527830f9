import { expect, test } from 'vitest';
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

test('of the table of swaps only paths are taken, unescaped', () => {
  const text = 'Filename\t\tType\n/dev/dm-1    partition\t8388604\n/swap\\040file file\t1024\nzzz\n';
  expect(parseSwaps(text)).toEqual(['/dev/dm-1', '/swap file']);
});
