/**
 * Sticks that call themselves what would steer a shell, a terminal, a path, a template or a parser. A USB device chooses its
 * serial number and its names; wherever these or what is made of them come out, they are harmless.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describe as describeNode } from '../../agent/commands/explain.ts';
import { format } from '../../agent/commands/get.ts';
import { recorded } from '../../deviceplugin/fake/recorded.ts';
import type { RecordedDevice } from '../../deviceplugin/fake/recordeddevice.ts';
import type { Explanation } from '../../deviceplugin/units/explain.ts';
import { MachineUnderService } from './devices/machine.ts';
import {
  folder,
  healthy,
  idsOf,
  kubelet,
  lines,
  pathsGiven,
  registry,
  service,
  startKubelet,
  stopService,
} from './devices/scene.ts';

const serials: readonly [string, string][] = [
  ['a shell', '$(reboot)'],
  ['a shell by quotes', `';reboot;'"\`reboot\``],
  ['a path', '../../etc/shadow'],
  ['ten kilobytes', 'A'.repeat(10_240)],
  ['a terminal', '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202etxt\r'],
  ['lines', 'x\nLD_PRELOAD=/tmp/x.so\nlevel: fatal'],
  ['JSON', '"}],"cdiVersion":"0","devices":[{"name":"x"'],
  ['YAML', 'x: &a [*a, !!js/function "f"] # \t- |'],
  ['nftables', '}; flush ruleset; table inet x { chain y { } '],
  ['a template', '{{path}}{{id}}${HOME}%s%n'],
  ['a label', 'x="1"} 1\nberth_device_devices{resource="evil",health="healthy'],
  ['no text', '\u00ff\u00fe\u0000\ud7ff'],
];
/** Characters that no terminal, shell word, label, path of one part or CDI name takes for more than themselves. */
const plain = /^[A-Za-z0-9._:-]+$/;
/** What a terminal prints as it is. */
const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

const resources = ['devicespec', 'cdi'].map((injection) => ({
  name: `example.com/${injection}`,
  match: [{ subsystem: 'tty', usb: { vendor: '0403' } }],
  injection,
  container: {
    path: '/dev/adapter-{{id}}',
    env: { ADAPTER: '{{id}}', ADAPTER_PATH: '{{path}}' },
    annotations: { 'example.com/adapter': '{{id}}' },
  },
}));

const sticks = (udev: boolean): readonly RecordedDevice[] =>
  serials.flatMap(([, serial], index) => {
    const devices = recorded.usbSerial(`1-${index + 1}`, { serial, tty: index, devnum: 20 + index });
    const named = devices.map((device) => ({
      ...device,
      attributes: {
        ...device.attributes,
        ...(device.attributes?.['product'] === undefined ? {} : { product: serial, manufacturer: serial }),
      },
    }));
    if (udev) return named;
    return named.map(({ udev: _udev, ...device }) => ({
      ...device,
      ...(device.node === undefined ? {} : { node: { ...device.node, links: [] } }),
    }));
  });

beforeEach(async () => {
  await startKubelet();
});

test.each([
  ['with udev', true],
  ['without udev', false],
])('%s, IDs are plain and each stick has its own, the same after a restart', async (_how, udev) => {
  const machine = await MachineUnderService.with(sticks(udev));
  await machine.serve({ resources: resources.slice(0, 1) });
  await healthy('example.com/devicespec', serials.length);
  const ids = idsOf('example.com/devicespec');
  expect(new Set(ids).size).toBe(serials.length);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9-]{1,56}$/);
  await stopService();
  await machine.serve({ resources: resources.slice(0, 1) });
  await healthy('example.com/devicespec', serials.length);
  expect(idsOf('example.com/devicespec')).toEqual(ids);
});

test.each(resources)(
  'what a container gets by $injection is plain: paths, variables, annotations, CDI names',
  async (rule) => {
    const machine = await MachineUnderService.with(sticks(true));
    await machine.serve({ resources: [rule] });
    await healthy(rule.name, serials.length);
    const paths = new Set<string>();
    for (const id of idsOf(rule.name)) {
      const answer = await kubelet.allocate(rule.name, [`${id}::0`]);
      for (const { host_path: host, container_path: path } of answer?.devices ?? []) {
        // A link by udev, with the few odd characters that udev leaves in one.
        expect(host).toMatch(/^\/dev\/[A-Za-z0-9/#+.:=@_-]+$/);
        expect(path).toBe(`/dev/adapter-${id}`);
      }
      for (const { name } of answer?.cdi_devices ?? []) expect(name).toBe(`${rule.name}=${id}`);
      for (const text of [...Object.values(answer?.envs ?? {}), ...Object.values(answer?.annotations ?? {})])
        expect(text.replaceAll('/dev/adapter-', '')).toMatch(plain);
      for (const path of await pathsGiven(rule.name, [id])) paths.add(path);
    }
    if (rule.injection === 'devicespec') expect(paths.size).toBe(serials.length);
  },
);

test('files are named as always, and every text in them is plain', async () => {
  const machine = await MachineUnderService.with(sticks(true));
  const featuresDir = join(folder, 'features');
  await machine.serve({ featuresDir, resources: resources.slice(1) });
  await healthy('example.com/cdi', serials.length);
  await expect
    .poll(() => readFile(join(featuresDir, 'berth-devices'), 'utf8').catch(() => ''))
    .toMatch(
      new RegExp(
        `^# \\+expiry-time=[-0-9T:]+Z\n# Made by Berth: [a-z ]+\\.\nexample\\.com/cdi\\.present=true\nexample\\.com/cdi\\.count=${serials.length}\n$`,
      ),
    );
  await stopService();
  expect((await readdir(folder)).toSorted()).toEqual(
    ['cdi', 'device-plugins', 'features', 'machine', 'plugins_registry', 'state'].toSorted(),
  );
  expect(await readdir(join(folder, 'cdi'))).toEqual(['berth-example.com_cdi.json']);
  const spec = await readFile(join(folder, 'cdi/berth-example.com_cdi.json'), 'utf8');
  const texts = (value: unknown): string[] =>
    typeof value === 'string'
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.values(value).flatMap(texts)
        : [];
  for (const text of texts(JSON.parse(spec))) expect(text).toMatch(/^[A-Za-z0-9/._:=,-]*$/);
  expect(texts(parse(spec))).toEqual(texts(JSON.parse(spec)));
  const memory = await readFile(join(folder, 'state/devices/identities.json'), 'utf8');
  for (const text of texts(JSON.parse(memory))) expect(text).toMatch(/^[A-Za-z0-9/._-]+$/);
});

test('log, metrics, `berth get` and `berth explain` cannot be steered and stay short', async () => {
  const machine = await MachineUnderService.with(sticks(true));
  await machine.serve({ resources });
  await healthy('example.com/devicespec', serials.length);
  await machine.unplug('/devices/pci0000:00/0000:00:14.0/usb1/1-1');
  await kubelet.until(() =>
    Object.values(kubelet.resources.get('example.com/devicespec')?.health ?? {}).includes('Unhealthy'),
  );

  for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(8_192);
  for (const line of (await registry.metrics()).split('\n')) {
    expect(line).toMatch(
      /^(#.*|[a-z_]+(\{[a-z]+="[A-Za-z0-9/._+-]*"(,[a-z]+="[A-Za-z0-9/._+-]*")*\})? [-+0-9.eInfNa]+)?$/,
    );
    expect(line).not.toContain('evil');
  }

  const { devices, inventory, explain } = service.views ?? {};
  // What somebody asks for is echoed as long as they made it.
  const asked = serials.flatMap(([, serial], index) => [`/dev/ttyUSB${index}`, serial.slice(0, 100)]);
  const explained = await Promise.all(asked.map(async (of) => (await explain?.(of))?.[0] as Explanation));
  const shown = [
    format('devices', 'wide', (await devices?.('')) ?? [], 0),
    format('inventory', 'wide', (await inventory?.('')) ?? [], 0),
    ...explained.map((explanation) => describeNode(explanation, true)),
  ];
  for (const text of shown) {
    expect(text).not.toMatch(steering);
    for (const line of text.split('\n')) expect(line.length).toBeLessThan(4_608);
  }
});

test('a rule that names such a serial number finds that stick and no other', async () => {
  const machine = await MachineUnderService.with(sticks(true));
  const rule = (serial: string): object => ({
    ...resources[0],
    match: [{ subsystem: 'tty', usb: { vendor: '0403', serial } }],
  });
  await machine.serve({ resources: [rule('$(reboot)')] });
  await healthy('example.com/devicespec', 1);
  const answer = await kubelet.allocate('example.com/devicespec', [`${idsOf('example.com/devicespec')[0] ?? ''}::0`]);
  expect(service.views?.['devices']?.('')).toMatchObject([{ nodes: ['/dev/ttyUSB0'] }]);
  expect(answer?.devices).toHaveLength(1);
});
