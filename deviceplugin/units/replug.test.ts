import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { devicesSection } from '../config/section.ts';
import { writeMachine } from '../fake/machine.ts';
import type { Machine } from '../fake/machine.ts';
import { recorded } from '../fake/recorded.ts';
import type { RecordedDevice } from '../fake/recordeddevice.ts';
import { usbDevpath } from '../fake/usb.ts';
import { scanInventory } from '../inventory/scan.ts';
import { compileRules } from './compile.ts';
import { explainNode } from './explain.ts';
import { identify } from './identify.ts';
import { loadIdentityMemory, saveIdentityMemory } from './identitymemory.ts';
import { matchUnits } from './match.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-replug-')));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const name = 'a.b/c';

/** What an agent sees that starts now: IDs with the paths of their units. */
async function look({ roots }: Machine, resource: object): Promise<Readonly<Record<string, string>>> {
  const { resources, deny } = devicesSection.parse({ resources: [{ name, ...resource }] });
  const compiled = compileRules(resources, deny);
  const { units } = matchUnits(compiled, await scanInventory(roots, compiled.wants)).get(name)!;
  const file = join(folder, 'identities.json');
  const { ids, memory } = identify(resources[0]!, units, (await loadIdentityMemory(file)).memory);
  await saveIdentityMemory(file, memory);
  const pathsOf = (index: number) => units[index]?.members.map(({ node }) => node.path).join('+') ?? '';
  return Object.fromEntries(ids.map((id, index) => [id, pathsOf(index)]));
}
function stick(port: string, tty: number, serial = '0001'): readonly RecordedDevice[] {
  return recorded.usbSerial(port, { serial, tty, devnum: 20 + tty });
}

const serialPorts = { match: [{ subsystem: 'tty', usb: { vendor: '0403' } }] };

test('a stick that is pulled and plugged in elsewhere has its ID again, under another name', async () => {
  const machine = await writeMachine(folder, stick('1-2', 0, 'A5069RR4'));
  const [id = ''] = Object.keys(await look(machine, serialPorts));
  await machine.unplug(usbDevpath('1-2'));
  expect(await look(machine, serialPorts)).toEqual({});
  await machine.plug(stick('1-1.4', 3, 'A5069RR4'));
  expect(await look(machine, serialPorts)).toEqual({ [id]: '/dev/ttyUSB3' });
});

test('an ID does not wait for udev', async () => {
  const machine = await writeMachine(folder, []);
  await machine.plug(stick('1-2', 0), { udev: false });
  const early = await look(machine, serialPorts);
  await machine.settle(stick('1-2', 0));
  expect(await look(machine, serialPorts)).toEqual(early);
});

test('twins keep their IDs over restarts in every order of coming', async () => {
  const machine = await writeMachine(folder, stick('1-4', 0));
  const [first = ''] = Object.keys(await look(machine, serialPorts));
  await machine.plug(stick('1-3', 1));
  const both = await look(machine, serialPorts);
  const second = Object.keys(both).find((id) => id !== first)!;
  expect(both).toEqual({ [first]: '/dev/ttyUSB0', [second]: '/dev/ttyUSB1' });
  await machine.unplug(usbDevpath('1-4'));
  expect(await look(machine, serialPorts)).toEqual({ [second]: '/dev/ttyUSB1' });
  await machine.unplug(usbDevpath('1-3'));
  await machine.plug(stick('1-3', 0));
  await machine.plug(stick('1-1.2', 1));
  expect(await look(machine, serialPorts)).toEqual({ [second]: '/dev/ttyUSB0', [first]: '/dev/ttyUSB1' });
});

test('a camera is one unit with its microphone, the same at the next plugging in', async () => {
  const members = [
    { role: 'video', match: { subsystem: 'video4linux', attributes: { index: '0' } } },
    { role: 'audio', match: { subsystem: 'sound', name: 'pcmC*c' }, required: false },
  ];
  const cameras = { group: { by: 'usbDevice', members } };
  const machine = await writeMachine(folder, recorded.camera('1-5'));
  const [id = ''] = Object.keys(await look(machine, cameras));
  expect(await look(machine, cameras)).toEqual({ [id]: '/dev/video0+/dev/snd/pcmC1D0c' });
  await machine.unplug(usbDevpath('1-5'));
  await machine.plug(recorded.camera('1-6', { video: 2, card: 3, input: 8, devnum: 30 }));
  expect(await look(machine, cameras)).toEqual({ [id]: '/dev/video2+/dev/snd/pcmC3D0c' });
});

test('a disk that is mounted is found by its exact path only, and who asks is told', async () => {
  const machine = await writeMachine(folder, recorded.nvme());
  await machine.mount({ '259:2': '/' });
  const disks = { paths: ['/dev/nvme0n1*'] };
  expect(Object.values(await look(machine, disks))).toEqual(['/dev/nvme0n1p1']);
  expect(Object.values(await look(machine, { paths: ['/dev/nvme0n1p2'] }))).toEqual(['/dev/nvme0n1p2']);
  const { resources } = devicesSection.parse({ resources: [{ name, ...disks }] });
  const compiled = compileRules(resources, []);
  const inventory = await scanInventory(machine.roots, compiled.wants);
  expect(explainNode(compiled, inventory, '/dev/nvme0n1p2')).toMatchObject({
    resources: [{ outcome: 'denied', reason: 'is used by the node itself: mounted at /' }],
  });
});

test('functions of a network card come by IOMMU group', async () => {
  const machine = await writeMachine(folder, recorded.sriov());
  const rule = {
    group: {
      by: 'iommuGroup',
      match: { pci: { virtualFunction: true, driver: 'vfio-pci' } },
      members: [{ role: 'group', match: { subsystem: 'vfio' } }],
    },
    with: ['/dev/vfio/vfio'],
  };
  const found = await look(machine, rule);
  expect(Object.values(found)).toEqual(['/dev/vfio/72', '/dev/vfio/73']);
  expect(Object.keys(found)[0]).toMatch(/^0000-3b-02-1-[0-9a-f]{16}$/);
});
