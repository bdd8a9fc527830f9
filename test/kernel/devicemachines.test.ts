/** Recorded machines through the whole service: what the kubelet has of them, as docs/devices.md promises it. */
import { beforeEach, expect, test } from 'vitest';
import { recorded } from '../../deviceplugin/fake/recorded.ts';
import { usbDevpath } from '../../deviceplugin/fake/usb.ts';
import { MachineUnderService } from './devices/machine.ts';
import { healthOf, healthy, idsOf, kubelet, pathsGiven, service, startKubelet, stopService } from './devices/scene.ts';

const serial = 'example.com/serial';
const serialRule = {
  name: serial,
  match: [{ subsystem: 'tty', usb: { vendor: '0403' } }],
  container: { path: '/dev/adapter{{index}}' },
};

beforeEach(async () => {
  await startKubelet();
});

const unhealthy = (resource: string, id: string): Promise<void> =>
  kubelet.until(() => healthOf(resource)[id] === 'Unhealthy');
const numaOf = (resource: string, id: string): readonly number[] | undefined =>
  kubelet.resources.get(resource)?.numa[`${id}::0`];

test('a USB adapter is there when it is plugged in, unhealthy when it is out, and has its ID again in another port under another name', async () => {
  const machine = await MachineUnderService.with(recorded.misc());
  await machine.serve({ resources: [serialRule] });
  await machine.plug(recorded.usbSerial('1-2'));
  await healthy(serial, 1);
  const [id = ''] = idsOf(serial);
  expect(id).toContain('A5069RR4');
  const answer = await kubelet.allocate(serial, [`${id}::0`]);
  expect(answer?.devices).toEqual([
    {
      host_path: '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A5069RR4-if00-port0',
      container_path: '/dev/adapter0',
      permissions: 'rw',
    },
  ]);
  await machine.unplug(usbDevpath('1-2'));
  await unhealthy(serial, id);
  await expect(pathsGiven(serial, [id])).rejects.toThrow(id);
  await machine.plug(recorded.usbSerial('1-1.4', { tty: 3, devnum: 9 }));
  await healthy(serial, 1);
  expect(idsOf(serial)).toEqual([id]);
  expect(service.views?.['devices']?.('')).toMatchObject([{ id, nodes: ['/dev/ttyUSB3'], health: 'Healthy' }]);
});

test('an adapter without a serial number has the ID of its port', async () => {
  const machine = await MachineUnderService.with(recorded.usbSerial('1-2', { serial: undefined }));
  await machine.serve({ resources: [serialRule] });
  await healthy(serial, 1);
  const [first = ''] = idsOf(serial);
  await machine.unplug(usbDevpath('1-2'));
  await unhealthy(serial, first);
  await machine.plug(recorded.usbSerial('1-4', { serial: undefined, tty: 1, devnum: 6 }));
  await kubelet.until(() => idsOf(serial).length === 2);
  expect(healthOf(serial)[first]).toBe('Unhealthy');
  await machine.plug(recorded.usbSerial('1-2', { serial: undefined, tty: 0, devnum: 7 }));
  await healthy(serial, 2);
});

test('of two sticks with one serial number each keeps its ID, whichever goes and comes, and over a restart of the service', async () => {
  const machine = await MachineUnderService.with(recorded.usbSerial('1-3', { serial: '0123456789', tty: 0 }));
  await machine.serve({ resources: [serialRule] });
  await healthy(serial, 1);
  const [first = ''] = idsOf(serial);
  await machine.plug(recorded.usbSerial('1-4', { serial: '0123456789', tty: 1, devnum: 11 }));
  await healthy(serial, 2);
  const second = idsOf(serial).find((id) => id !== first) ?? '';
  await machine.unplug(usbDevpath('1-3'));
  await unhealthy(serial, first);
  expect(healthOf(serial)[second]).toBe('Healthy');
  await stopService();
  await machine.serve({ resources: [serialRule] });
  await healthy(serial, 1);
  expect(idsOf(serial)).toEqual([second]);
  await machine.plug(recorded.usbSerial('1-3', { serial: '0123456789', tty: 2, devnum: 12 }));
  await healthy(serial, 2);
  expect(idsOf(serial).toSorted()).toEqual([first, second].toSorted());
  // The link by-id leads to one of both only: nobody is given it.
  const answers = await Promise.all([first, second].map((id) => kubelet.allocate(serial, [`${id}::0`])));
  for (const answer of answers) expect(answer?.devices[0]?.host_path).not.toContain('by-id');
});

test('graphics cards are groups of their nodes on their NUMA node, and two of one node are preferred', async () => {
  const gpu = 'example.com/gpu';
  const cards = [
    recorded.gpu({ card: 1, address: '0000:81:00.0', numaNode: 1 }),
    recorded.gpu({ card: 2, address: '0000:82:00.0', numaNode: 0 }),
    recorded.gpu({ card: 3, address: '0000:83:00.0', numaNode: 1 }),
  ];
  const machine = await MachineUnderService.with(cards.flat());
  const members = [
    { role: 'render', match: { name: 'renderD*' } },
    { role: 'card', match: { name: 'card*' } },
  ];
  await machine.serve({
    resources: [{ name: gpu, group: { by: 'pciFunction', match: { pci: { vendor: '1002', class: '03' } }, members } }],
  });
  await healthy(gpu, 3);
  const ids = idsOf(gpu);
  const on = (node: number): string[] => ids.filter((id) => numaOf(gpu, id)?.join() === `${node}`);
  expect([on(0).length, on(1).length]).toEqual([1, 2]);
  expect((await kubelet.preferred(gpu, 2)).map((id) => id.replace('::0', '')).toSorted()).toEqual(on(1).toSorted());
  const answer = await kubelet.allocate(gpu, [`${on(0)[0] ?? ''}::0`]);
  expect(answer?.devices.map(({ container_path: path }) => path).toSorted()).toEqual([
    '/dev/dri/card2',
    '/dev/dri/renderD130',
  ]);
  expect(answer?.envs).toMatchObject({
    DEVICES_EXAMPLE_COM_GPU_PATHS: '/dev/dri/renderD130,/dev/dri/card2',
    DEVICES_EXAMPLE_COM_GPU_IDS: on(0)[0],
    DEVICES_EXAMPLE_COM_GPU_NUMA: '0',
  });
});

test('virtual functions that are bound to vfio are offered, each by its IOMMU group and with VFIO’s own node', async () => {
  const vf = 'example.com/vf';
  const machine = await MachineUnderService.with(recorded.sriov());
  const match = { pci: { virtualFunction: true } };
  await machine.serve({
    resources: [
      {
        name: vf,
        group: { by: 'iommuGroup', match, members: [{ role: 'group', match: { subsystem: 'vfio' } }] },
        with: ['/dev/vfio/vfio'],
      },
    ],
  });
  await healthy(vf, 2);
  const given = await Promise.all(idsOf(vf).map((id) => kubelet.allocate(vf, [`${id}::0`])));
  expect(given.map((answer) => answer?.devices.map(({ host_path: path }) => path).toSorted())).toEqual([
    ['/dev/vfio/72', '/dev/vfio/vfio'],
    ['/dev/vfio/73', '/dev/vfio/vfio'],
  ]);
  expect(idsOf(vf).map((id) => numaOf(vf, id))).toEqual([[0], [0]]);
  await machine.unplug('/devices/virtual/vfio/72');
  await kubelet.until(() => Object.values(healthOf(vf)).toSorted().join() === 'Healthy,Unhealthy');
});

test('a camera is one unit with its microphone; without it, still one; without its picture, none', async () => {
  const camera = 'example.com/camera';
  const rule = {
    name: camera,
    group: {
      by: 'usbDevice',
      members: [
        { role: 'video', match: { subsystem: 'video4linux', attributes: { index: '0' } } },
        { role: 'audio', match: { subsystem: 'sound', name: 'pcmC*c' }, required: false },
      ],
    },
    container: { path: '/dev/camera/{{role}}' },
  };
  const machine = await MachineUnderService.with(recorded.misc());
  await machine.serve({ resources: [rule] });
  await machine.plug(recorded.camera('1-5'));
  await healthy(camera, 1);
  const [id = ''] = idsOf(camera);
  const pathsOf = async (): Promise<string[] | undefined> =>
    (await kubelet.allocate(camera, [`${id}::0`]))?.devices.map(({ container_path: path }) => path).toSorted();
  const [sound = ''] = recorded
    .camera('1-5')
    .map(({ devpath }) => devpath)
    .filter((devpath) => devpath.endsWith('/sound/card1'));
  await expect.poll(pathsOf).toEqual(['/dev/camera/audio', '/dev/camera/video']);
  await machine.unplug(sound);
  await expect.poll(pathsOf).toEqual(['/dev/camera/video']);
  expect(healthOf(camera)).toEqual({ [id]: 'Healthy' });
  const [picture = ''] = recorded
    .camera('1-5')
    .map(({ devpath }) => devpath)
    .filter((devpath) => devpath.endsWith('/video4linux/video0'));
  await machine.unplug(picture);
  await unhealthy(camera, id);
  await machine.plug(recorded.camera('1-5'));
  await healthy(camera, 1);
  expect(idsOf(camera)).toEqual([id]);
});
