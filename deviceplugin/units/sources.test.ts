import { describe, expect, test } from 'vitest';
import { devicesSection } from '../config/section.ts';
import { inventoryOf } from '../fake/inventoryof.ts';
import { recorded } from '../fake/recorded.ts';
import { usbDevpath } from '../fake/usb.ts';
import type { DevNode, Inventory } from '../inventory/inventory.ts';
import { compileRules } from './compile.ts';
import { matchUnits } from './match.ts';
import type { Found } from './match.ts';
import type { FoundUnit } from './unit.ts';

const name = 'a.b/c';

function match(inventory: Inventory, ...rules: object[]): ReadonlyMap<string, Found> {
  const { resources, deny } = devicesSection.parse({ resources: rules });
  return matchUnits(compileRules(resources, deny), inventory);
}
function found(inventory: Inventory, rule: object): Found {
  return match(inventory, { name, ...rule }).get(name)!;
}
function roles({ members }: FoundUnit): readonly string[] {
  return members.map(({ role, node }) => `${role} ${node.path}`);
}
function bare(...paths: readonly string[]): Inventory {
  const nodes = paths.map((path, index): DevNode => ({ number: `c1:${index}`, path, links: [], device: undefined }));
  return inventoryOf([], { nodes });
}

describe('resources in order', () => {
  const inventory = bare('/dev/fuse', '/dev/null');

  test('a device belongs to the first that finds it, and the later one says so', () => {
    const both = match(inventory, { name, paths: ['/dev/fuse'] }, { name: 'a.b/all', paths: ['/dev/*'] });
    expect(both.get('a.b/all')).toMatchObject({
      units: [{ members: [{ node: { path: '/dev/null' } }] }],
      problems: ['/dev/fuse belongs to a.b/c already'],
    });
  });

  test('each is there, also without a device', () => {
    expect(found(inventory, { paths: ['/dev/kvm'] })).toEqual({ units: [], problems: [] });
  });

  test('what cannot be offered is named by the resource that looks for it', () => {
    const misfits = [
      { path: '/dev/fuse', reason: 'is no device node' },
      { path: '/dev/else', reason: 'is no device node' },
    ];
    expect(found(inventoryOf([], { misfits }), { paths: ['/dev/fuse'] }).problems).toEqual([
      '/dev/fuse is no device node',
    ]);
  });

  test('a thousand of the same problem are some and a number', () => {
    const many = bare(...Array.from({ length: 1_000 }, (_, index) => `/dev/port${index}`));
    const { problems } = match(many, { name, paths: ['/dev/*'] }, { name: 'a.b/d', paths: ['/dev/port*'] }).get(
      'a.b/d',
    )!;
    expect([problems.length, problems.at(-1)]).toEqual([21, 'and 980 more like these']);
  });
});

describe('groups', () => {
  const video = { role: 'video', match: { subsystem: 'video4linux', attributes: { index: '0' } } };
  const audio = { role: 'audio', match: { subsystem: 'sound', name: 'pcmC*c' }, required: false };
  const camera = { group: { by: 'usbDevice', members: [video, audio] } };

  test('a camera is one unit with its microphone, and without where it has none', () => {
    const silent = recorded
      .camera('1-6', { video: 2, card: 2, input: 6, devnum: 8 })
      .filter(({ devpath }) => !devpath.includes('/sound/'));
    const { units, problems } = found(inventoryOf([...recorded.camera('1-5'), ...silent]), camera);
    expect(units.map(roles)).toEqual([['video /dev/video0', 'audio /dev/snd/pcmC1D0c'], ['video /dev/video2']]);
    expect(problems).toEqual([]);
  });

  test('a unit is the device with what is on the way to it, and knows its serial number and port', () => {
    const [unit] = found(inventoryOf(recorded.camera('1-5')), camera).units;
    expect(unit).toMatchObject({
      identities: { serial: 'usb:046d:082d:9B2C7F1E', port: '0000:00:14.0/usb2/5', path: '/dev/video0' },
      lineage: [usbDevpath('1-5'), '/devices/pci0000:00/0000:00:14.0/usb1', '/devices/pci0000:00/0000:00:14.0'],
    });
  });

  test('there is no unit without a part that is required', () => {
    const headset = recorded.camera('1-5').filter(({ devpath }) => !devpath.includes('/video'));
    expect(found(inventoryOf(headset), camera).units).toEqual([]);
  });

  test('only devices that the group wants are units', () => {
    const rule = (match: object) => ({ group: { ...camera.group, match } });
    const inventory = inventoryOf(recorded.camera('1-5'));
    expect(found(inventory, rule({ usb: { product: '082d' } })).units).toHaveLength(1);
    expect(found(inventory, rule({ not: { usb: { vendor: '046d' } } })).units).toEqual([]);
  });

  test('devices behind a hub are their own groups, never the hub’s', () => {
    const inventory = inventoryOf([
      ...recorded.usbSerial('1-1.3'),
      ...recorded.usbSerial('1-1.4', { tty: 1, devnum: 6 }),
    ]);
    const tty = { role: 'tty', match: { subsystem: 'tty' } };
    expect(found(inventory, { group: { by: 'usbDevice', members: [tty] } }).units.map(roles)).toEqual([
      ['tty /dev/ttyUSB0'],
      ['tty /dev/ttyUSB1'],
    ]);
  });

  test('the node of the whole USB device is a part only where it is asked for', () => {
    const tty = { role: 'tty', match: { subsystem: 'tty' } };
    const any = { role: 'raw', match: { usb: {} }, required: false };
    const usb = { role: 'raw', match: { subsystem: 'usb' } };
    const inventory = inventoryOf(recorded.usbSerial('1-2'));
    const units = (member: object) => found(inventory, { group: { by: 'usbDevice', members: [tty, member] } }).units;
    expect(units(any).map(roles)).toEqual([['tty /dev/ttyUSB0']]);
    expect(units(usb).map(roles)).toEqual([['tty /dev/ttyUSB0', 'raw /dev/bus/usb/001/005']]);
  });

  test('a node plays the first role that it fits', () => {
    const members = [video, { role: 'meta', match: { subsystem: 'video4linux' } }];
    const [unit] = found(inventoryOf(recorded.camera('1-5')), { group: { by: 'usbDevice', members } }).units;
    expect(roles(unit!)).toEqual(['video /dev/video0', 'meta /dev/video1']);
  });

  test('a graphics card is its render node and its card, on its NUMA node', () => {
    const members = [
      { role: 'render', match: { name: 'renderD*' } },
      { role: 'card', match: { name: 'card*' } },
    ];
    const [unit] = found(inventoryOf(recorded.gpu()), { group: { by: 'pciFunction', members } }).units;
    expect(roles(unit!)).toEqual(['render /dev/dri/renderD129', 'card /dev/dri/card1']);
    expect([unit?.numaNode, unit?.identities.port]).toEqual([1, '0000:81:00.0']);
  });

  test('virtual functions bound to vfio-pci come by their IOMMU groups, with what every one needs', () => {
    const rule = {
      group: {
        by: 'iommuGroup',
        match: { pci: { virtualFunction: true, driver: 'vfio-pci' } },
        members: [{ role: 'group', match: { subsystem: 'vfio' } }],
      },
      with: ['/dev/vfio/vfio'],
    };
    const { units } = found(inventoryOf(recorded.sriov()), rule);
    expect(
      units.map(({ members, companions, identities, numaNode }) => [
        members.map(({ node }) => node.path).join(),
        companions.map(({ path }) => path).join(),
        identities.port,
        numaNode,
      ]),
    ).toEqual([
      ['/dev/vfio/72', '/dev/vfio/vfio', '0000:3b:02.1', 0],
      ['/dev/vfio/73', '/dev/vfio/vfio', '0000:3b:02.2', 0],
    ]);
    expect(units[0]?.lineage[0]).toMatch(/0000:3b:02\.1$/);
  });

  test('a part that another resource has is missing, which is said of groups that would be units', () => {
    const inventory = inventoryOf([...recorded.camera('1-5'), ...recorded.usbSerial('1-2')]);
    const before = { name: 'a.b/first', paths: ['/dev/video0', '/dev/ttyUSB0'] };
    const any = { role: 'tty', match: { subsystem: 'tty' }, required: false };
    const group = { ...camera.group, members: [...camera.group.members, any] };
    expect(match(inventory, before, { name, group }).get(name)).toEqual({
      units: [],
      problems: ['/dev/video0 belongs to a.b/first already'],
    });
  });
});

describe('paths that belong together', () => {
  const rule = { together: ['/dev/net/tun', '/dev/vhost-net'] };

  test('are one unit in the order of the rule', () => {
    const { units } = found(bare('/dev/vhost-net', '/dev/net/tun'), rule);
    expect(units.map(roles)).toEqual([['device /dev/net/tun', 'device /dev/vhost-net']]);
    expect(units[0]?.identities).toEqual({ path: '/dev/net/tun+/dev/vhost-net' });
  });

  test('are no unit while one is missing, which is named; where all are, there is nothing to say', () => {
    expect(found(bare('/dev/net/tun'), rule)).toEqual({ units: [], problems: ['/dev/vhost-net is missing'] });
    expect(found(bare(), rule)).toEqual({ units: [], problems: [] });
    const misfits = [{ path: '/dev/vhost-net', reason: 'is no device node' }];
    expect(found({ ...bare('/dev/net/tun'), misfits }, rule).problems).toEqual(['/dev/vhost-net is no device node']);
  });

  test('stay of the rule while one is missing, so that nothing moves when it comes', () => {
    const other = { name: 'a.b/tun', paths: ['/dev/net/tun'] };
    expect(match(bare('/dev/net/tun'), { name, ...rule }, other).get('a.b/tun')?.units).toEqual([]);
  });

  test('are no unit when one belongs to another resource', () => {
    const inventory = bare('/dev/net/tun', '/dev/vhost-net');
    const both = match(inventory, { name: 'a.b/tun', paths: ['/dev/net/tun'] }, { name, ...rule });
    expect(both.get(name)).toEqual({ units: [], problems: ['/dev/net/tun belongs to a.b/tun already'] });
  });
});

test('a folder is one unit of all nodes below it', () => {
  const { units } = found(inventoryOf(recorded.camera('1-5')), { directory: '/dev/snd' });
  expect(units.map(roles)).toEqual([['device /dev/snd/controlC1', 'device /dev/snd/pcmC1D0c']]);
  expect(units[0]?.identities).toEqual({ path: '/dev/snd' });
  expect(found(bare('/dev/sndx'), { directory: '/dev/snd' }).units).toEqual([]);
});

describe('what comes with each unit', () => {
  const rule = { paths: ['/dev/port*'], with: ['/dev/control'] };

  test('is the same for all, and another resource may have it', () => {
    const inventory = bare('/dev/port0', '/dev/port1', '/dev/control');
    const both = match(inventory, { name: 'a.b/control', paths: ['/dev/control'] }, { name, ...rule });
    expect(both.get(name)?.units.map(({ companions }) => companions.map(({ path }) => path))).toEqual([
      ['/dev/control'],
      ['/dev/control'],
    ]);
    expect(both.get('a.b/control')?.units).toHaveLength(1);
  });

  test('being missing there is no unit, and that is said', () => {
    expect(found(bare('/dev/port0'), rule)).toEqual({
      units: [],
      problems: ['/dev/control, which comes with each unit, is missing'],
    });
  });
});

test('the inventory is told what to read: every path pattern and every attribute', () => {
  const { resources, deny } = devicesSection.parse({
    resources: [
      { name: 'a.b/1', paths: ['/dev/x*'], with: ['/dev/w'], health: { attributes: [{ name: 'state', is: 'on' }] } },
      { name: 'a.b/2', match: [{ attributes: { index: '0' }, parent: { attributes: { boot_vga: '1' } } }] },
      { name: 'a.b/3', together: ['/dev/t'] },
      { name: 'a.b/4', directory: '/dev/d' },
      { name: 'a.b/5', group: { by: 'usbDevice', members: [{ role: 'r', match: { not: { path: '/dev/n*' } } }] } },
    ],
  });
  const { wants } = compileRules(resources, deny);
  expect(wants.globs.map(({ pattern }) => pattern).sort()).toEqual(
    ['/dev/x*', '/dev/w', '/dev/t', '/dev/d/*', '/dev/d/*/*', '/dev/n*'].sort(),
  );
  expect([...wants.attributes].sort()).toEqual(['boot_vga', 'index', 'state']);
});
