/** What containers get of real devices, and what they may do with them: containerd, runc and the kernel's device cgroup decide. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addLoop, loopNumbers, removeLoop } from './blockdevices.ts';
import { containerOf, containersPod, environmentOf, insideContainer } from './containers.ts';
import { devicesOf, offered, useDeviceRules } from './devicerules.ts';
import { useScene } from './scene.ts';

const scene = useScene('devices-in-pods');
const { cluster } = scene;
const rules = useDeviceRules(cluster);
const node = cluster.nodes[1]!;
const disks = loopNumbers(2);

beforeAll(async () => {
  disks.forEach(addLoop);
  await rules.set(
    {
      name: 'pods.test/entropy',
      paths: ['/dev/hwrng'],
      permissions: 'r',
      container: { path: '/dev/entropy' },
      sharing: { replicas: 2 },
    },
    { name: 'pods.test/tun', together: ['/dev/net/tun', '/dev/vsock'] },
    {
      name: 'pods.test/disk',
      match: disks.map((number) => ({ subsystem: 'block', name: `loop${number}` })),
      container: {
        path: '/dev/disk{{index}}',
        env: { DISK: '{{path}}', DISK_NAME: '{{name}}' },
        annotations: { 'pods.test/disk': '{{id}}' },
      },
    },
    {
      name: 'pods.test/misc',
      match: [{ subsystem: 'misc', name: 'vga_*', not: { name: 'vga_switch*' } }],
      with: ['/dev/userfaultfd'],
    },
  );
  for (const [name, count] of [
    ['entropy', 2],
    ['tun', 1],
    ['disk', 2],
    ['misc', 1],
  ] as const)
    await offered(cluster, node.name, `pods.test/${name}`, count);
  await scene.apply(
    containersPod('asks', node.name, [
      { name: 'entropy', limits: { 'pods.test/entropy': 1 } },
      { name: 'user', limits: { 'pods.test/entropy': 1 }, securityContext: { runAsUser: 1000 } },
      { name: 'tun', limits: { 'pods.test/tun': 1 } },
      { name: 'disks', limits: { 'pods.test/disk': 2 } },
      { name: 'misc', limits: { 'pods.test/misc': 1 } },
      { name: 'nothing' },
    ]),
  );
  await scene.ready('asks');
});
afterAll(() => {
  disks.forEach(removeLoop);
});

const inside = (container: string, command: string): Promise<{ readonly text: string; readonly code: number }> =>
  insideContainer(scene, 'asks', container, command);

/** Kind and number (hexadecimal) of a node in a container. */
const look = (path: string): string => `stat -c '%F %t:%T' ${path}`;

describe('a container with a device', () => {
  test('reads it under the name that the rule gives, and has not the name of the host', async () => {
    expect(await inside('entropy', 'head -c 16 /dev/entropy | wc -c')).toEqual({ text: '16', code: 0 });
    expect((await inside('entropy', look('/dev/entropy'))).text).toBe('character special file a:b7');
    expect((await inside('entropy', 'ls /dev/hwrng')).text).toMatch(/No such file/);
  });

  test('with permissions "r" may not write to it, nor make itself a node through which it could', async () => {
    const write = await inside('entropy', 'exec 3>/dev/entropy');
    expect(write.text).toMatch(/Operation not permitted/);
    const own = await inside('entropy', 'mknod /tmp/own c 10 183 && exec 3<>/tmp/own');
    expect(own.text).toMatch(/Operation not permitted/);
    expect((await inside('entropy', 'exec 3</tmp/own && echo reads')).text).toBe('reads');
  });

  test('that is not root is let through by the cgroup and stopped by the mode of the node, which is the host’s', async () => {
    const open = await inside('user', 'exec 3</dev/entropy');
    expect(open.text).toMatch(/Permission denied/);
    expect((await inside('user', 'stat -c "%a %u" /dev/entropy')).text).toBe('600 0');
  });

  test('gets both nodes of a resource of two, and opens both', async () => {
    const open = await inside('tun', 'exec 3<>/dev/net/tun && exec 4<>/dev/vsock && echo both');
    expect(open.text).toBe('both');
  });

  test('gets two units under numbered names, with their variables in the same order', async () => {
    expect((await inside('disks', 'exec 3<>/dev/disk0 && exec 4<>/dev/disk1 && ls /dev | grep disk')).text).toBe(
      'disk0\ndisk1',
    );
    const env = await environmentOf(scene, 'asks', 'disks');
    const units = await devicesOf(cluster, node, 'pods.test/disk');
    expect(env['DEVICES_PODS_TEST_DISK_PATHS']).toBe('/dev/disk0,/dev/disk1');
    const ids = env['DEVICES_PODS_TEST_DISK_IDS']!.split(',');
    expect([...ids].sort()).toEqual(units.map(({ id }) => id).sort());
    const names = ids.map((id) => units.find((unit) => unit.id === id)!.nodes[0]!.slice('/dev/'.length));
    expect(env).toMatchObject({ DISK: '/dev/disk0,/dev/disk1', DISK_NAME: names.join(',') });
  });

  test('carries the annotation of its rule to the runtime', async () => {
    const units = await devicesOf(cluster, node, 'pods.test/disk');
    const { id } = await containerOf(scene, 'asks', 'disks');
    const { stdout } = await node.exec(['ctr', '-n', 'k8s.io', 'containers', 'info', id]);
    const { Extensions: extensions } = JSON.parse(stdout) as { Extensions: Record<string, { value: string }> };
    const metadata = Buffer.from(extensions['io.cri-containerd.container.metadata']!.value, 'base64').toString();
    const { Metadata } = JSON.parse(metadata) as { Metadata: { Config: { annotations: Record<string, string> } } };
    const carried = Metadata.Config.annotations['pods.test/disk']!.split(',');
    expect([...carried].sort()).toEqual(units.map((unit) => unit.id).sort());
  });

  test('gets what was found by subsystem and name, and the node that goes with it', async () => {
    const open = await inside('misc', 'exec 3<>/dev/vga_arbiter && exec 4<>/dev/userfaultfd && echo both');
    expect(open.text).toBe('both');
    expect((await inside('misc', 'echo $DEVICES_PODS_TEST_MISC_PATHS')).text).toBe('/dev/vga_arbiter');
  });
});

test.each(['c 10 183', 'c 10 256', 'c 10 258', `b 7 ${disks[0]}`])(
  'a container that asked for nothing cannot open the device of another in its pod, even by a node of its own (%s)',
  async (number) => {
    const open = await inside('nothing', `rm -f /tmp/own; mknod /tmp/own ${number} && exec 3<>/tmp/own`);
    expect(open.text).toMatch(/Operation not permitted/);
    expect(open.code).not.toBe(0);
  },
);
