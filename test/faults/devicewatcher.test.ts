/** The real kubelet's plugin watcher, and an agent that comes and goes: a second agent on one node, registered by `watcher`. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { addLoop, loopNumbers, removeLoop } from '../cluster/blockdevices.ts';
import { containerOf, environmentOf, insideContainer, startInTheEnd } from '../cluster/containers.ts';
import { offered } from '../cluster/devicerules.ts';
import { eventually, podManifest, useScene } from '../cluster/scene.ts';
import type { PodManifest } from '../cluster/scene.ts';
import { agentReady } from './agent.ts';
import { invariantsHold } from './invariantshold.ts';
import { secondAgent } from './secondagent.ts';

const scene = useScene('device-watcher');
const { cluster } = scene;
const node = cluster.nodes[1]!;
const loops = loopNumbers(2);
const resource = 'watcher.test/disk';
const firmware = join(node.rootDir, 'opt/firmware');

const second = secondAgent(node, {
  registration: 'watcher',
  mountRoots: ['/opt/firmware'],
  resources: [
    {
      name: resource,
      paths: loops.map((number) => `/dev/loop${number}`),
      container: {
        path: '/dev/disk{{index}}',
        mounts: [{ hostPath: '/opt/firmware/{{name}}', containerPath: '/firmware' }],
        env: { FIRMWARE: '/firmware/of-{{name}}' },
      },
    },
  ],
});

const sockets = (folder: string): readonly string[] =>
  readdirSync(join(node.rootDir, 'var/lib/kubelet', folder)).filter((name) => name.startsWith('berth-'));
const podWith = (name: string): PodManifest => podManifest(name, { node: node.name, limits: { [resource]: 1 } });

/** ID of the device in a pod that can open it, asked until the kubelet answers. */
async function deviceOf(pod: string): Promise<string> {
  await scene.ready(pod);
  return await eventually(`pod ${pod} to show its device`, 60, async () => {
    const { code } = await insideContainer(scene, pod, 'main', 'exec 3<>/dev/disk0');
    return code === 0 ? (await environmentOf(scene, pod, 'main'))['DEVICES_WATCHER_TEST_DISK_IDS'] : undefined;
  });
}

let device = '';
let inSocketFolder: readonly string[] = [];

beforeAll(async () => {
  loops.forEach(addLoop);
  for (const number of loops) {
    const name = `loop${number}`;
    mkdirSync(join(firmware, name), { recursive: true });
    writeFileSync(join(firmware, name, `of-${name}`), `firmware of ${name}`);
  }
  inSocketFolder = sockets('device-plugins');
  await second.start();
});
afterEach(async () => {
  if (node.componentPid('kubelet') === undefined) await node.start('kubelet');
});
afterAll(async () => {
  await second.remove();
  rmSync(firmware, { recursive: true, force: true });
  loops.forEach(removeLoop);
  await invariantsHold(cluster);
});

test('the plugin watcher finds the socket, registers the resource, and a pod gets its device', async () => {
  await offered(cluster, node.name, resource, 2);
  expect(sockets('plugins_registry')).toHaveLength(1);
  expect(sockets('device-plugins')).toEqual(inSocketFolder);
  await scene.apply(podWith('pod'));
  device = await deviceOf('pod');
});

test('a mount and a variable of the device come with it, the mount read-only', async () => {
  const read = await insideContainer(scene, 'pod', 'main', 'cat "$FIRMWARE"');
  expect(read.text).toMatch(/^firmware of loop\d+$/);
  expect((await insideContainer(scene, 'pod', 'main', 'touch /firmware/x')).text).toMatch(/Read-only file system/);
});

test('a kubelet that restarts finds it again, and the pod keeps its device', async () => {
  const before = await containerOf(scene, 'pod', 'main');
  await node.kill('kubelet');
  await node.start('kubelet');
  await second.ready();
  await startInTheEnd(scene, podWith('other'));
  expect(await deviceOf('other')).not.toBe(device);
  await scene.remove('pod', 'other');
  expect(await deviceOf('pod')).toBe(device);
  expect(await containerOf(scene, 'pod', 'main')).toEqual(before);
  await agentReady(node);
});

test('an agent that was killed leaves nothing allocatable, and its pod alone; the next one has everything as it was', async () => {
  const before = await containerOf(scene, 'pod', 'main');
  await second.end('KILL');
  await offered(cluster, node.name, resource, 0, 2);
  expect(await deviceOf('pod')).toBe(device);
  await second.start();
  await offered(cluster, node.name, resource, 2);
  await startInTheEnd(scene, podWith('other'));
  expect(await deviceOf('other')).not.toBe(device);
  expect(await containerOf(scene, 'pod', 'main')).toEqual(before);
  await scene.remove('pod', 'other');
  // That of the dead one is gone.
  expect(sockets('plugins_registry')).toHaveLength(1);
});

test('an agent that was told to stop takes its socket with it; a pod waits for the next', async () => {
  await second.end('TERM');
  expect(sockets('plugins_registry')).toEqual([]);
  await offered(cluster, node.name, resource, 0, 2);
  await scene.apply(podWith('waits'));
  expect(await scene.event('Pod', 'waits', new RegExp(`Insufficient ${resource}`))).toContain(resource);
  await second.start();
  expect(await deviceOf('waits')).not.toBe(device);
  await scene.remove('pod', 'pod', 'waits');
});
