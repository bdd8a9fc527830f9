import { describe, expect, test } from 'vitest';
import type { Selector } from '../config/selector.ts';
import { devicesSection } from '../config/section.ts';
import { inventoryOf } from '../fake/inventoryof.ts';
import { recorded } from '../fake/recorded.ts';
import type { DevNode, Inventory } from '../inventory/inventory.ts';
import { compileRules } from './compile.ts';
import { matchUnits } from './match.ts';
import type { Found } from './match.ts';

const name = 'a.b/c';

function match(inventory: Inventory, ...rules: object[]): ReadonlyMap<string, Found> {
  const { resources, deny } = devicesSection.parse({ resources: rules });
  return matchUnits(compileRules(resources, deny), inventory);
}
/** Paths of each unit, joined. */
function paths(found: ReadonlyMap<string, Found>, resource = name): readonly string[] {
  return found.get(resource)!.units.map(({ members }) => members.map(({ node }) => node.path).join('+'));
}
function node(path: string, number: string, ...links: string[]): DevNode {
  return { number, path, links, device: undefined };
}

const machine = inventoryOf([
  ...recorded.usbSerial('1-1.4'),
  ...recorded.usbSerial('1-2', { serial: undefined, tty: 1, devnum: 6 }),
  ...recorded.camera('1-5'),
  ...recorded.gpu(),
  ...recorded.sriov(),
  ...recorded.misc(),
]);
const bare = inventoryOf([], {
  nodes: [
    node('/dev/fuse', 'c10:229'),
    node('/dev/net/tun', 'c10:200'),
    node('/dev/vhost-net', 'c10:238'),
    node('/dev/ttyUSB10', 'c188:10', '/dev/serial/by-id/usb-b'),
    node('/dev/ttyUSB2', 'c188:2', '/dev/serial/by-id/usb-a', '/dev/serial/by-path/x'),
  ],
});

describe('selectors', () => {
  test.each<[string, Selector, readonly string[]]>([
    ['a path', { path: '/dev/ttyUSB*' }, ['/dev/ttyUSB0', '/dev/ttyUSB1']],
    ['a link', { path: '/dev/serial/by-path/*usb-0:2*' }, ['/dev/ttyUSB1']],
    ['a subsystem', { subsystem: 'drm' }, ['/dev/dri/card1', '/dev/dri/renderD129']],
    ['a name', { name: 'renderD*' }, ['/dev/dri/renderD129']],
    ['a driver above', { driver: 'ftdi_sio' }, ['/dev/ttyUSB0', '/dev/ttyUSB1']],
    ['USB vendor and product', { usb: { vendor: '0403', product: '6001' } }, ['/dev/ttyUSB0', '/dev/ttyUSB1']],
    ['a USB serial number', { usb: { serial: 'A50*' } }, ['/dev/ttyUSB0']],
    ['a USB port', { usb: { port: '1-2' } }, ['/dev/ttyUSB1']],
    ['a USB interface', { usb: { interfaceClass: '01' } }, ['/dev/snd/controlC1', '/dev/snd/pcmC1D0c']],
    ['a PCI class', { pci: { class: '03' } }, ['/dev/dri/card1', '/dev/dri/renderD129']],
    ['a PCI function', { pci: { vendor: '1002', device: '740c', driver: 'amd*' }, name: 'card1' }, ['/dev/dri/card1']],
    ['a PCI address', { pci: { address: '0000:81:*' }, name: 'card?' }, ['/dev/dri/card1']],
    ['virtual functions', { pci: { virtualFunction: true } }, ['/dev/vfio/devices/vfio1', '/dev/vfio/devices/vfio2']],
    ['a modalias above', { modalias: 'usb:v0403p6001*' }, ['/dev/ttyUSB0', '/dev/ttyUSB1']],
    ['an attribute', { attributes: { index: '0' } }, ['/dev/video0']],
    ['a property of udev', { subsystem: 'tty', udev: { ID_SERIAL_SHORT: 'A*' } }, ['/dev/ttyUSB0']],
    ['a NUMA node', { numaNode: 1 }, ['/dev/dri/card1', '/dev/dri/renderD129']],
    ['a parent', { subsystem: 'tty', parent: { name: '1-1', usb: { vendor: '0bda' } } }, ['/dev/ttyUSB0']],
    ['an exception', { subsystem: 'tty', not: { usb: { serial: '*' } } }, ['/dev/ttyUSB1']],
    ['an exception in a parent', { subsystem: 'tty', parent: { name: '1-?', not: { driver: 'usb' } } }, []],
    ['any USB device', { subsystem: 'video*', usb: {} }, ['/dev/video0', '/dev/video1']],
    ['all at once', { subsystem: 'tty', usb: { serial: 'A*', port: '1-2' } }, []],
    ['what nothing is', { attributes: { constructor: '*' } }, []],
  ])('%s finds its nodes', (_what, selector, expected) => {
    expect(paths(match(machine, { name, match: [selector] }))).toEqual(expected);
  });

  test('a network interface finds the nodes of the same function, not those of the same card', () => {
    const [card] = recorded.sriov().filter(({ devpath }) => devpath.endsWith('0000:3b:02.0'));
    const verbs = (on: string, number: number) => ({
      devpath: `${on}/infiniband_verbs/uverbs${number}`,
      subsystem: 'class/infiniband_verbs' as const,
      node: { kind: 'c' as const, major: 231, minor: 192 + number, name: `infiniband/uverbs${number}` },
    });
    const above = card!.devpath.replace('02.0', '00.0');
    const inventory = inventoryOf([...recorded.sriov(), verbs(card!.devpath, 0), verbs(above, 1)]);
    const rule = { name, match: [{ subsystem: 'infiniband_verbs', interface: 'ens1f0v?' }] };
    expect(paths(match(inventory, rule))).toEqual(['/dev/infiniband/uverbs0']);
  });

  test('units come in the order of the selectors, then as people count', () => {
    const rule = { name, match: [{ path: '/dev/vhost-net' }, { path: '/dev/ttyUSB*' }, { path: '/dev/*' }] };
    expect(paths(match(bare, rule))).toEqual(['/dev/vhost-net', '/dev/ttyUSB2', '/dev/ttyUSB10', '/dev/fuse']);
  });

  test('a device found by two patterns is one unit, known by the path of the first', () => {
    const rule = { name, paths: ['/dev/serial/by-id/*', '/dev/ttyUSB*'] };
    const { units } = match(bare, rule).get(name)!;
    expect(units.map(({ identities, members }) => [identities.path, members[0]?.node.path])).toEqual([
      ['/dev/serial/by-id/usb-a', '/dev/ttyUSB2'],
      ['/dev/serial/by-id/usb-b', '/dev/ttyUSB10'],
    ]);
  });
});

describe('nodes of whole USB devices', () => {
  const twoSticks = [...recorded.usbSerial('1-2'), ...recorded.usbSerial('1-3', { serial: 'B', tty: 1, devnum: 9 })];
  test.each<[string, Selector, number]>([
    ['not by what the device is', { usb: { serial: 'A50*' } }, 1],
    ['not by its properties', { udev: { ID_VENDOR_ID: '0403' } }, 2],
    ['by the subsystem usb', { subsystem: 'usb', usb: { serial: 'A50*' } }, 1],
    ['by a pattern that fits it', { subsystem: 'u*', usb: { serial: 'A50*' } }, 1],
    ['by a path', { path: '/dev/bus/usb/*/*' }, 4],
  ])('are found %s', (_how, selector, count) => {
    const found = paths(match(inventoryOf(recorded.camera('1-5').concat(twoSticks)), { name, match: [selector] }));
    expect(found).toHaveLength(count);
    const raw = found.filter((path) => path.startsWith('/dev/bus/usb/'));
    expect(raw).toHaveLength(selector.path === undefined && selector.subsystem === undefined ? 0 : count);
  });
});

describe('nodes that are denied', () => {
  const disk = node('/dev/sda', 'b8:0', '/dev/disk/by-id/x');
  const free = node('/dev/sdb', 'b8:16', '/dev/disk/by-path/y');
  const nodes = [node('/dev/mem', 'c1:1'), node('/dev/tty1', 'c4:1'), node('/dev/null', 'c1:3'), disk, free];
  const inUse = new Map([['b8:0', 'mounted at /']]);
  const inventory = inventoryOf([], { nodes, inUse });

  test('are not found by patterns, folders or what they are', () => {
    expect(paths(match(inventory, { name, paths: ['/dev/*'] }))).toEqual(['/dev/null', '/dev/sdb']);
    expect(paths(match(inventory, { name, directory: '/dev/disk' }))).toEqual(['/dev/sdb']);
  });

  test.each(['/dev/mem', '/dev/tty1', '/dev/sda', '/dev/disk/by-id/x'])('are found by the exact path %s', (path) => {
    expect(paths(match(inventory, { name, paths: [path] }))).toHaveLength(1);
    expect(paths(match(inventory, { name, match: [{ path }] }))).toHaveLength(1);
    expect(paths(match(inventory, { name, together: [path] }))).toHaveLength(1);
    expect(match(inventory, { name, paths: ['/dev/null'], with: [path] }).get(name)?.units[0]?.companions).toHaveLength(
      1,
    );
  });

  test('are denied by a link, too, and an exact path that excepts finds nothing', () => {
    const { resources } = devicesSection.parse({
      resources: [{ name, match: [{ path: '/dev/*', not: { path: '/dev/null' } }] }],
    });
    expect(paths(matchUnits(compileRules(resources, ['/dev/disk/by-id/*']), inventory))).toEqual([
      '/dev/mem',
      '/dev/sdb',
      '/dev/tty1',
    ]);
  });
});
