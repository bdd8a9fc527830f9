import { describe, expect, test } from 'vitest';
import { devicesSection } from '../config/section.ts';
import { inventoryOf } from '../fake/inventoryof.ts';
import { recorded } from '../fake/recorded.ts';
import type { DevNode, Inventory } from '../inventory/inventory.ts';
import { compileRules } from './compile.ts';
import { explainNode } from './explain.ts';

function explain(inventory: Inventory, asked: string, ...rules: object[]) {
  const resources = rules.map((rule, index) => ({ name: `a.b/${index}`, ...rule }));
  const section = devicesSection.parse({ resources });
  const explanation = explainNode(compileRules(section.resources, section.deny), inventory, asked);
  if ('absent' in explanation) throw new Error(explanation.absent);
  return explanation;
}
function verdict(inventory: Inventory, asked: string, rule: object) {
  return explain(inventory, asked, rule).resources[0]!;
}

const adapter = inventoryOf(recorded.usbSerial('1-2'));

test('a node is known by its path, by a link and by its number', () => {
  const link = '/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0';
  for (const asked of ['/dev/ttyUSB0', link, 'c188:0'])
    expect(explain(adapter, asked, { paths: ['/dev/x'] })).toMatchObject({ asked, node: { path: '/dev/ttyUSB0' } });
});

test('what is known of it is told from the node up', () => {
  const { lineage } = explain(adapter, '/dev/ttyUSB0', { paths: ['/dev/x'] });
  expect(lineage.map(({ name, subsystem, driver, usb, pci }) => [name, subsystem, driver, usb ?? pci])).toEqual([
    ['ttyUSB0', 'tty', undefined, undefined],
    ['ttyUSB0', 'usb-serial', 'ftdi_sio', undefined],
    ['1-2:1.0', 'usb', 'ftdi_sio', undefined],
    ['1-2', 'usb', 'usb', '0403:6001 A5069RR4'],
    ['usb1', 'usb', 'usb', '1d6b:0002 0000:00:14.0'],
    ['0000:00:14.0', 'pci', 'xhci_hcd', '8086:a36d 0c0330'],
  ]);
  expect(lineage[0]?.udev).toMatchObject({ ID_SERIAL_SHORT: 'A5069RR4' });
});

describe('of an entry that does not fit the first condition is told, with both values', () => {
  test.each<[object, string]>([
    [{ subsystem: 'video*' }, 'subsystem is "tty", not video*'],
    [
      { path: '/dev/ttyACM*' },
      expect.stringMatching(/^path is "\/dev\/ttyUSB0", "\/dev\/serial\/by-id\/.*", not \/dev\/ttyACM\*$/) as string,
    ],
    [{ usb: { vendor: '0403', serial: '0001*' } }, 'usb.serial is "A5069RR4", not 0001*'],
    [{ usb: { interfaceClass: '03' } }, 'usb.interfaceClass is "ff", not 03'],
    [{ pci: { class: '03' } }, 'pci.class is "0c0330", not 03*'],
    [{ pci: { virtualFunction: true } }, 'pci.virtualFunction is "false", not true'],
    [{ modalias: 'pci:x' }, expect.stringMatching(/^modalias is "usb:v0403p6001.*", "pci:.*", not pci:x$/) as string],
    [{ attributes: { index: '0' } }, 'attributes.index is not known, not 0'],
    [{ udev: { ID_BUS: 'ata' } }, 'udev.ID_BUS is "usb", not ata'],
    [{ numaNode: 0 }, 'numaNode is not known, not 0'],
    [{ interface: 'eth*' }, 'interface is not known, not eth*'],
    [
      { parent: { subsystem: 'usb', driver: 'cp210x' } },
      'parent: of "1-2:1.0" above it, parent.driver is "ftdi_sio", not cp210x',
    ],
    [{ not: { subsystem: 'tty' } }, 'it is what not excepts'],
  ])('%j', (selector, failure) => {
    expect(verdict(adapter, '/dev/ttyUSB0', { match: [selector] })).toMatchObject({
      outcome: 'no',
      entries: [{ key: 'match[0]', failure }],
    });
  });

  test('a node without a device fulfils nothing that is asked of one', () => {
    const node: DevNode = { number: 'c1:9', path: '/dev/own', links: [], device: undefined };
    const entries = (selector: object) =>
      verdict(inventoryOf([], { nodes: [node] }), '/dev/own', { match: [selector] }).entries;
    expect(entries({ subsystem: 'tty' })[0]?.failure).toBe('subsystem is not known, not tty');
    expect(entries({ usb: {} })[0]?.failure).toBe('usb: it belongs to no USB device');
    expect(entries({ parent: { usb: {} } })[0]?.failure).toBe('parent: there is no device above it');
  });

  test('the node of a whole USB device is told why selectors pass it by', () => {
    expect(verdict(adapter, '/dev/bus/usb/001/005', { match: [{ usb: { vendor: '0403' } }] }).entries[0]?.failure).toBe(
      'it is the node of a whole USB device, which only a path or subsystem: usb finds',
    );
  });

  test('what hardware says of itself is quoted, cut and harmless', () => {
    const hostile = inventoryOf(recorded.usbSerial('1-2', { serial: `\u001b[2J\u202e"${'x'.repeat(10_000)}` }));
    const [entry] = verdict(hostile, '/dev/ttyUSB0', { match: [{ usb: { serial: 'A' } }] }).entries;
    expect(entry?.failure?.length).toBeLessThan(150);
    expect(entry?.failure).toMatch(/^usb\.serial is "\\u001b\[2J\ufffd\\"x+…", not A$/);
  });
});

describe('of each resource is told what became of the node', () => {
  const nodes = ['/dev/mem', '/dev/net/tun', '/dev/sda'].map((path, index): DevNode => ({
    number: `c1:${index}`,
    path,
    links: [],
    device: undefined,
  }));
  const bare = inventoryOf([], { nodes, inUse: new Map([['c1:2', 'mounted at /']]) });

  test('it has it, by which entry, and why a later one does not', () => {
    const { resources } = explain(
      adapter,
      '/dev/ttyUSB0',
      { match: [{ usb: { serial: 'X' } }, { subsystem: 'tty' }] },
      { paths: ['/dev/ttyUSB*'] },
    );
    expect(resources).toMatchObject([
      {
        outcome: 'has',
        entries: [{ failure: 'usb.serial is "A5069RR4", not X' }, { key: 'match[1]', failure: undefined }],
      },
      { outcome: 'owned', reason: 'belongs to a.b/0', entries: [{ key: 'paths[0]', failure: undefined }] },
    ]);
  });

  test('it is denied, by which pattern or use', () => {
    expect(verdict(bare, '/dev/mem', { paths: ['/dev/m*'] })).toMatchObject({
      outcome: 'denied',
      reason: 'is denied by /dev/mem',
    });
    expect(verdict(bare, '/dev/sda', { paths: ['/dev/sd*'] }).reason).toBe('is used by the node itself: mounted at /');
    expect(verdict(bare, '/dev/sda', { paths: ['/dev/sda'] }).outcome).toBe('has');
  });

  test('it comes with units, or is a part of none yet', () => {
    expect(verdict(bare, '/dev/mem', { paths: ['/dev/net/tun'], with: ['/dev/mem'] }).outcome).toBe('with');
    expect(verdict(bare, '/dev/net/tun', { together: ['/dev/net/tun', '/dev/vhost-net'] })).toMatchObject({
      outcome: 'incomplete',
      reason: '/dev/vhost-net is missing',
    });
    expect(verdict(bare, '/dev/mem', { together: ['/dev/net/tun'] }).entries[0]?.failure).toBe(
      'path is "/dev/mem", none of /dev/net/tun',
    );
    expect(verdict(bare, '/dev/mem', { directory: '/dev/net' }).entries[0]?.failure).toBe(
      'path is "/dev/mem", not below /dev/net',
    );
  });

  test('its group lacks a part, is another, or is none', () => {
    const group = (more: object, by = 'usbDevice') => ({
      group: {
        by,
        members: [
          { role: 'video', match: { subsystem: 'video4linux' } },
          { role: 'tty', match: { subsystem: 'tty' } },
        ],
        ...more,
      },
    });
    expect(verdict(adapter, '/dev/ttyUSB0', group({}))).toMatchObject({
      outcome: 'incomplete',
      reason: 'is in a USB device without the required part "video"',
      entries: [{ key: 'group.members[0].match' }, { key: 'group.members[1].match', failure: undefined }],
    });
    expect(verdict(adapter, '/dev/ttyUSB0', group({ match: { usb: { vendor: '046d' } } })).entries).toEqual([
      { key: 'group.match', failure: 'usb.vendor is "0403", not 046d', exact: false },
    ]);
    expect(verdict(bare, '/dev/mem', group({}, 'iommuGroup')).entries[0]?.failure).toBe('it belongs to no IOMMU group');
  });
});

test.each([
  ['/dev/ttyUSB9', 'is missing'],
  ['/dev/log', 'is no device node'],
  ['c999:9', 'is the number of no device'],
  ['c10:229', 'is the number of "/devices/virtual/misc/fuse", which has no node below /dev'],
  ['/etc/passwd', 'is neither a path below /dev nor a number such as c188:0'],
])('%s leads to no node, and why', (asked, absent) => {
  const inventory = {
    ...inventoryOf(recorded.misc(), { misfits: [{ path: '/dev/log', reason: 'is no device node' }] }),
    nodes: new Map(),
  };
  expect(explainNode(compileRules([], []), inventory, asked)).toEqual({ asked, absent });
});
