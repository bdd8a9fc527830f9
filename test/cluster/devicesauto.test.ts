/**
 * Which way `auto` takes for what can be unplugged: CDI, for containerd reads it. Nothing is plugged into this machine, so a
 * service of devices that sees a recorded USB adapter, under whose name /dev has another device, serves a real node's kubelet.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readsCdiFiles } from '../../agent/containerruntime.ts';
import { devicesSection } from '../../deviceplugin/config/section.ts';
import { writeMachine } from '../../deviceplugin/fake/machine.ts';
import type { Machine } from '../../deviceplugin/fake/machine.ts';
import { recorded } from '../../deviceplugin/fake/recorded.ts';
import type { RecordedDevice } from '../../deviceplugin/fake/recordeddevice.ts';
import { usbDevpath } from '../../deviceplugin/fake/usb.ts';
import { createDeviceService } from '../../deviceplugin/service.ts';
import { createLogger } from '../../kit/log.ts';
import type { Service } from '../../kit/service.ts';
import type { UeventOptions } from '../../linux/uevents.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { answerFor } from './checkpoint.ts';
import { containersPod, environmentOf, insideContainer, restartContainer } from './containers.ts';
import { offered } from './devicerules.ts';
import { useScene } from './scene.ts';

const scene = useScene('devices-auto');
const { cluster } = scene;
const node = cluster.nodes[1]!;
const resource = 'auto.test/serial';
const port = '1-2';
/** Names that no adapter has; under the first is the random number generator, under the second /dev/zero. */
const names = [300_000 + process.pid, 400_000 + process.pid].map((tty) => ({ tty, path: `/dev/ttyUSB${tty}` }));
const numbers = [
  [10, 183],
  [1, 5],
] as const;

/** The adapter as the kernel calls it the first or the second time. udev has made no link, which would be named to the kubelet instead. */
function adapter(time: 0 | 1): readonly RecordedDevice[] {
  const [major, minor] = numbers[time];
  return recorded
    .usbSerial(port, { tty: names[time]!.tty, devnum: 5 + time })
    .map((device) =>
      device.subsystem === 'class/tty' && device.node !== undefined
        ? { ...device, node: { ...device.node, major, minor, links: [] } }
        : device,
    );
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'berth-auto-')));
const root = `/proc/${node.pid}/root`;
/** The other folder of CDI files: in /var/run/cdi are those of the node's own agent. */
const cdiDir = join(root, 'etc/cdi');
let machine: Machine;
let service: Service;
let kernel: UeventOptions | undefined;

async function readsCdi(): Promise<boolean> {
  const version = 'jsonpath={.status.nodeInfo.containerRuntimeVersion}';
  return readsCdiFiles(await kubectl(cluster, ['get', 'node', node.name, '-o', version]));
}

beforeAll(async () => {
  names.forEach(({ path }, time) => {
    execFileSync('mknod', [path, 'c', ...numbers[time]!.map(String)]);
  });
  machine = await writeMachine(join(folder, 'machine'), adapter(0));
  const { devRoot, sysRoot, udevRoot } = machine.roots;
  const rule = {
    name: resource,
    match: [{ subsystem: 'tty', usb: { vendor: '0403' } }],
    container: { path: '/dev/serial', env: { SERIAL: '{{path}}' } },
  };
  service = createDeviceService(devicesSection.parse({ devRoot, sysRoot, udevRoot, cdiDir, resources: [rule] }), {
    kubeletRoot: join(root, 'var/lib/kubelet'),
    stateDir: join(folder, 'state'),
    log: createLogger('error', { write: () => undefined }),
    registry: new Registry(),
    readsCdi,
    openEvents: (opened) => {
      kernel = opened;
    },
  });
  await service.start(AbortSignal.timeout(60_000));
  await offered(cluster, node.name, resource, 1);
  await scene.apply(containersPod('pod', node.name, [{ name: 'main', limits: { [resource]: 1 } }]));
  await scene.ready('pod');
});
afterAll(async () => {
  await service.stop(AbortSignal.timeout(2_000));
  for (const path of [folder, cdiDir, ...names.map((name) => name.path)])
    rmSync(path, { recursive: true, force: true });
});

/** The number, in hexadecimal, of the device in the container, which it can open. */
async function numberInside(): Promise<string> {
  return (await insideContainer(scene, 'pod', 'main', 'exec 3</dev/serial && stat -c %t:%T /dev/serial')).text;
}

test('what can be unplugged comes by CDI without the rule saying so: the kubelet is told a name and no node', async () => {
  expect(await numberInside()).toBe('a:b7');
  const env = await environmentOf(scene, 'pod', 'main');
  expect(env).toMatchObject({ SERIAL: '/dev/serial' });
  const answer = await answerFor(node, resource);
  expect(answer).toContain(`${resource}=${env['DEVICES_AUTO_TEST_SERIAL_IDS']}`);
  expect(answer).not.toContain('ttyUSB');
});

test('plugged in again under another name it is the same device, and the container has it from its next start on', async () => {
  const { DEVICES_AUTO_TEST_SERIAL_IDS: before } = await environmentOf(scene, 'pod', 'main');
  const raise = (events: Awaited<ReturnType<Machine['plug']>>): void => {
    for (const event of events) kernel?.onEvent(event);
  };
  raise(await machine.unplug(usbDevpath(port)));
  await offered(cluster, node.name, resource, 0, 1);
  raise(await machine.plug(adapter(1)));
  await offered(cluster, node.name, resource, 1);
  expect(await numberInside()).toBe('a:b7');
  await restartContainer(scene, 'pod', 'main');
  expect(await numberInside()).toBe('1:5');
  expect(await environmentOf(scene, 'pod', 'main')).toMatchObject({ DEVICES_AUTO_TEST_SERIAL_IDS: before });
});
