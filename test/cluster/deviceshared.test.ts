/** Containers of one pod that ask for the same resource: who has the device after whom, and who has one of his own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listPodResources } from '../../kubelet/podresources.ts';
import { addLoop, loopNumbers, removeLoop } from './blockdevices.ts';
import { containersPod, environmentOf, insideContainer } from './containers.ts';
import { devicesOf, offered, useDeviceRules } from './devicerules.ts';
import { eventually, useScene } from './scene.ts';

const scene = useScene('devices-shared');
const { cluster } = scene;
const rules = useDeviceRules(cluster);
const node = cluster.nodes[1]!;
const loops = loopNumbers(2);
const resource = 'shared.test/disk';
const limits = { [resource]: 1 };

beforeAll(async () => {
  loops.forEach(addLoop);
  await rules.set({ name: resource, paths: loops.map((number) => `/dev/loop${number}`) });
  await offered(cluster, node.name, resource, 2);
});
afterAll(() => {
  loops.forEach(removeLoop);
});

const variable = 'DEVICES_SHARED_TEST_DISK_IDS';
/** Says its device as the last thing, for the log. */
const once = ['sh', '-c', `echo $${variable}`];

async function deviceOf(pod: string, container: string): Promise<string | undefined> {
  return (await environmentOf(scene, pod, container))[variable];
}

async function logOf(pod: string, container: string): Promise<string> {
  const { stdout } = await cluster.kubectl(['logs', '-n', scene.namespace, pod, '-c', container]);
  return stdout.trim();
}

test('an init container hands its device on to the container after it, and one is left for another pod', async () => {
  const main = { name: 'main', limits };
  await scene.apply(containersPod('relay', node.name, [main], [{ name: 'first', limits, command: once }]));
  await scene.ready('relay');
  const id = await deviceOf('relay', 'main');
  expect(await logOf('relay', 'first')).toBe(id);
  await scene.apply(containersPod('other', node.name, [main]));
  await scene.ready('other');
  expect(await deviceOf('other', 'main')).not.toBe(id);
  await scene.remove('pod', 'relay', 'other');
});

test('a sidecar keeps its device for itself, and the container beside it gets that of the init container', async () => {
  const sidecar = { name: 'sidecar', limits, restartPolicy: 'Always' } as const;
  const first = { name: 'first', limits, command: once };
  await scene.apply(containersPod('pair', node.name, [{ name: 'main', limits }], [first, sidecar]));
  await scene.ready('pair');
  const ids = [await deviceOf('pair', 'sidecar'), await deviceOf('pair', 'main')];
  expect([...ids].sort()).toEqual((await devicesOf(cluster, node, resource)).map(({ id }) => id).sort());
  for (const container of ['sidecar', 'main']) {
    const open = await insideContainer(
      scene,
      'pair',
      container,
      'for each in /dev/loop*; do exec 3<$each && echo one; done',
    );
    expect(open.text).toBe('one');
  }
  const pods = await listPodResources(`/proc/${node.pid}/root/var/lib/kubelet`);
  const listed = pods.find(({ name, namespace }) => name === 'pair' && namespace === scene.namespace);
  const containers = Object.fromEntries(
    (listed?.containers ?? []).map(({ name, devices }) => [name, devices.flatMap(({ device_ids }) => device_ids)]),
  );
  expect(containers).toEqual({ sidecar: [`${ids[0]}::0`], main: [`${ids[1]}::0`] });
  await eventually('the agent to know both holders', 40, async () => {
    const held = (await devicesOf(cluster, node, resource)).map(({ holders }) =>
      holders.map(({ container }) => container),
    );
    return held.flat().sort().join() === 'main,sidecar' ? true : undefined;
  });
  await scene.remove('pod', 'pair');
});

test('a sidecar that comes first shares nothing either: two devices are not enough for three such containers', async () => {
  const sidecars = ['one', 'two'].map((name) => ({ name, limits, restartPolicy: 'Always' }) as const);
  await scene.apply(containersPod('three', node.name, [{ name: 'main', limits }], sidecars));
  expect(await scene.event('Pod', 'three', new RegExp(`Insufficient ${resource}`))).toContain(resource);
  await scene.remove('pod', 'three');
});
