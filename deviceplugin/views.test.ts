import { expect, test } from 'vitest';
import { Catalogue } from './catalogue.ts';
import { inventoryOf } from './fake/inventoryof.ts';
import { recorded } from './fake/recorded.ts';
import { rulesOf, surroundings } from './fake/surroundings.ts';
import { node, state, unit } from './plugin/fake/state.ts';
import { deviceViews, inventoryViews } from './views.ts';

test('a device is shown with its nodes, its health and who has it', () => {
  const camera = unit('camera', ['/dev/video0'], { companions: [node('/dev/media0')], numaNode: 1 });
  const sick = unit('sick', ['/dev/video1'], { unhealthy: 'has temp "\u009b2J", not ok' });
  const unseen = unit('unseen', [], { present: false, unhealthy: 'is gone from the node' });
  const of = state({ name: 'a.b/camera', sharing: { replicas: 2 } }, [camera, sick, unseen]);
  const holder = { namespace: 'n', pod: 'p', container: 'c' };
  const views = deviceViews(new Map([['a.b/camera', of]]), (_resource, id) => (id === 'camera' ? [holder] : []));
  const common = { resource: 'a.b/camera', replicas: 2 };
  expect(views).toEqual([
    {
      ...common,
      ...{ id: 'camera', nodes: ['/dev/video0', '/dev/media0'], health: 'Healthy', reason: '', numaNode: 1 },
      holders: [holder],
    },
    {
      ...common,
      ...{ id: 'sick', nodes: ['/dev/video1'], health: 'Unhealthy', reason: 'it has temp "?2J", not ok' },
      ...{ numaNode: null, holders: [] },
    },
    {
      ...common,
      ...{ id: 'unseen', nodes: [], health: 'Unhealthy', reason: 'it is gone from the node' },
      ...{ numaNode: null, holders: [] },
    },
  ]);
});

test('the inventory has every node with its bus, model and resource, by path', () => {
  const inventory = inventoryOf([...recorded.usbSerial('1-2'), ...recorded.nvme()], {
    inUse: new Map([['b259:0', 'mounted at /']]),
  });
  const rules = rulesOf({ name: 'a.b/serial', match: [{ subsystem: 'tty' }] });
  const views = inventoryViews(inventory, new Catalogue(new Map()).update(surroundings(rules, inventory)));
  expect(views.map((view) => view.node)).toEqual(views.map((view) => view.node).toSorted());
  expect(views.find((view) => view.node === '/dev/ttyUSB0')).toMatchObject({
    ...{ number: 'c188:0', subsystem: 'tty', driver: 'ftdi_sio', bus: 'usb 1-2', model: '0403:6001' },
    ...{ product: 'FT232R USB UART', resource: 'a.b/serial', inUse: '' },
  });
  expect(views.find((view) => view.node === '/dev/nvme0n1')).toMatchObject({
    ...{ subsystem: 'block', driver: 'nvme', bus: 'pci 0000:04:00.0', model: '144d:a808', resource: '' },
    inUse: 'mounted at /',
  });
});

test('what a device calls itself is short and steers no terminal', () => {
  const hostile = `\u001b[31m${'x'.repeat(200)}`;
  const devices = recorded
    .usbSerial('1-2')
    .map((device) =>
      device.attributes?.['product'] === undefined
        ? device
        : { ...device, attributes: { ...device.attributes, product: hostile, idVendor: '\u0007' } },
    );
  const [view] = inventoryViews(inventoryOf(devices), new Map()).filter((each) => each.node === '/dev/ttyUSB0');
  expect(view?.product).toBe(`?[31m${'x'.repeat(59)}`);
  expect(view?.model).toBe('?:6001');
});
