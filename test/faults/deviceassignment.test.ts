/** Which pod has which device stays so whoever restarts: container, kubelet, agent, both, or the node. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import { listPodResources } from '../../kubelet/podresources.ts';
import { addLoop, loopNumbers, removeLoop } from '../cluster/blockdevices.ts';
import { containerOf, environmentOf, insideContainer, restartContainer, startInTheEnd } from '../cluster/containers.ts';
import { agentPod, devicesOf, offered, useDeviceRules } from '../cluster/devicerules.ts';
import { listPodResourcesV1alpha1 } from '../cluster/podresourcesv1alpha1.ts';
import { eventually, podManifest, useScene } from '../cluster/scene.ts';
import type { PodManifest } from '../cluster/scene.ts';
import { agentPids, agentReady, killAgent } from './agent.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('device-assignment');
const { cluster } = scene;
const rules = useDeviceRules(cluster);
const index = 1;
const node = cluster.nodes[index]!;
const loops = loopNumbers(2);
const resource = 'assignment.test/disk';
const rule = {
  name: resource,
  paths: loops.map((number) => `/dev/loop${number}`),
  container: { path: '/dev/disk{{index}}' },
};

const podWith = (name: string): PodManifest => podManifest(name, { node: node.name, limits: { [resource]: 1 } });

/** ID and number of the device that a container has and can open, asked until the kubelet answers. */
async function deviceOf(pod: string): Promise<string> {
  await scene.ready(pod);
  return await eventually(`pod ${pod} to show its device`, 60, async () => {
    const id = (await environmentOf(scene, pod, 'main'))['DEVICES_ASSIGNMENT_TEST_DISK_IDS'];
    const { text, code } = await insideContainer(scene, pod, 'main', 'exec 3<>/dev/disk0 && stat -c %t:%T /dev/disk0');
    return id === undefined || code !== 0 ? undefined : `${id} ${text}`;
  });
}

/** Kills the kubelet, starts it again after `meanwhile`, and waits until everything is registered with it. */
async function restartKubelet(meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  await node.kill('kubelet');
  await meanwhile();
  await node.start('kubelet');
  await agentReady(node);
}

/** Both units are offered and a pod can have the one that is free. */
async function otherIsFree(taken: string): Promise<void> {
  await offered(cluster, node.name, resource, 2);
  await startInTheEnd(scene, podWith('other'));
  expect(await deviceOf('other')).not.toBe(taken);
  await scene.remove('pod', 'other');
}

beforeAll(async () => {
  loops.forEach(addLoop);
  await rules.set(rule);
  await offered(cluster, node.name, resource, 2);
  await scene.apply(podWith('pod'));
});
afterEach(async () => {
  for (const component of ['containerd', 'kubelet'] as const)
    if (node.componentPid(component) === undefined) await node.start(component);
});
afterAll(async () => {
  // Nobody offers what is about to go.
  await rules.clear();
  loops.forEach(removeLoop);
  await invariantsHold(cluster);
});

describe('a pod with a device', () => {
  let device = '';
  beforeAll(async () => {
    device = await deviceOf('pod');
  });

  test('is named with it by the kubelet’s PodResources, v1 and v1alpha1, and by the agent', async () => {
    const [id = ''] = device.split(' ');
    const listed = { name: 'main', devices: [{ resource_name: resource, device_ids: [`${id}::0`] }] };
    const kubelet = `/proc/${node.pid}/root/var/lib/kubelet`;
    for (const pods of [await listPodResources(kubelet), await listPodResourcesV1alpha1(kubelet)])
      expect(pods.find(({ name, namespace }) => name === 'pod' && namespace === scene.namespace)).toMatchObject({
        containers: [listed],
      });
    await eventually('the agent to name the pod', 40, async () => {
      const unit = (await devicesOf(cluster, node, resource)).find((each) => each.id === id);
      const [holder] = unit?.holders ?? [];
      return holder?.pod === 'pod' && holder.namespace === scene.namespace ? true : undefined;
    });
  });

  test('has the same one after its container has started again', async () => {
    await restartContainer(scene, 'pod', 'main');
    expect(await deviceOf('pod')).toBe(device);
  });

  test('goes on with the same one while the kubelet restarts', async () => {
    const before = await containerOf(scene, 'pod', 'main');
    await restartKubelet();
    await otherIsFree(device);
    expect(await deviceOf('pod')).toBe(device);
    expect(await containerOf(scene, 'pod', 'main')).toEqual(before);
  });

  // One that ends while the kubelet is away is admitted anew when that starts, and is refused for good if the kubelet comes to
  // it before anybody could register: docs/limits.md.
  test('has the same one when its container ends after the kubelet has started again', async () => {
    const { id } = await containerOf(scene, 'pod', 'main');
    await restartKubelet();
    await node.exec(['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', id]);
    await eventually('the container to start again', 90, async () => {
      const after = await containerOf(scene, 'pod', 'main');
      return after.ready && after.id !== id ? true : undefined;
    });
    expect(await deviceOf('pod')).toBe(device);
    await otherIsFree(device);
  });

  test.each<[string, () => Promise<string>]>([
    ['the agent is killed', () => killAgent(node)],
    ['the pod of the agent is deleted', deleteAgentPod],
  ])('goes on with the same one while %s, and the resource is offered by the next', async (_what, end) => {
    const before = await containerOf(scene, 'pod', 'main');
    await agentReady(node, await end());
    await otherIsFree(device);
    expect(await deviceOf('pod')).toBe(device);
    expect(await containerOf(scene, 'pod', 'main')).toEqual(before);
  });

  test('goes on with the same one while kubelet and agent are killed together', async () => {
    const before = await containerOf(scene, 'pod', 'main');
    const [killed] = await Promise.all([killAgent(node), node.kill('kubelet')]);
    await node.start('kubelet');
    await agentReady(node, killed);
    await otherIsFree(device);
    expect(await deviceOf('pod')).toBe(device);
    expect(await containerOf(scene, 'pod', 'main')).toEqual(before);
  });

  test('goes on with the same one over twenty restarts of the kubelet in a row, which then knows all units', async () => {
    const before = await containerOf(scene, 'pod', 'main');
    for (let round = 0; round < 20; round += 1) {
      await node.kill('kubelet');
      await node.start('kubelet');
      await eventually(`kubelet ${round + 1} of 20 to listen`, 60, kubeletListens);
      // Every other one is killed as soon as it listens, before or while resources are registered; the others after that.
      if (round % 2 === 1) await agentReady(node);
    }
    await agentReady(node);
    await otherIsFree(device);
    expect(await deviceOf('pod')).toBe(device);
    expect(await containerOf(scene, 'pod', 'main')).toEqual(before);
  });

  test('gives it back when it is deleted while the kubelet is away', async () => {
    await restartKubelet(() => kubectl(cluster, ['delete', 'pod', 'pod', '-n', scene.namespace, '--wait=false']));
    for (const name of ['one', 'two']) await startInTheEnd(scene, podWith(name));
    const devices = [await deviceOf('one'), await deviceOf('two')];
    expect(devices).toContain(device);
    expect(new Set(devices).size).toBe(2);
    await scene.remove('pod', 'one', 'two');
  });
});

/** Returns the pids of the agent that was in it; the DaemonSet makes another. */
async function deleteAgentPod(): Promise<string> {
  const pids = await eventually(`the agent of ${node.name} to run`, 120, () => agentPids(node));
  const { metadata } = await agentPod(cluster, node.name);
  await kubectl(cluster, ['delete', 'pod', metadata.name, '-n', berthNamespace, '--wait', '--timeout=90s']);
  return pids;
}

async function kubeletListens(): Promise<true | undefined> {
  const { code } = await node.exec(['busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:10248/healthz']);
  return code === 0 ? true : undefined;
}

test('a pod that has done its work stays so when the kubelet restarts after its resource has gone', async () => {
  const manifest = podManifest('done', { node: node.name, limits: { [resource]: 1 }, command: ['true'] });
  await scene.apply({ ...manifest, spec: { ...manifest.spec, restartPolicy: 'Never' } });
  await scene.ready('done');
  await rules.clear();
  await restartKubelet();
  // The kubelet has looked at its pods when one that came later runs.
  await scene.apply(podManifest('later', { node: node.name }));
  await scene.ready('later');
  const { status } = await scene.pod('done');
  expect(status).toMatchObject({ phase: 'Succeeded' });
  expect(status.reason).toBeUndefined();
  await scene.remove('pod', 'done', 'later');
  await rules.set(rule);
  await offered(cluster, node.name, resource, 2);
});

test('after a power cycle of the node a bare pod has failed and says why; its device is free', async () => {
  await scene.apply(podWith('bare'));
  await deviceOf('bare');
  await cluster.restartNode(index);
  await eventually('the bare pod to have failed', 120, async () => {
    const { status } = await scene.pod('bare');
    return status.phase === 'Failed' && status.reason === 'UnexpectedAdmissionError' ? true : undefined;
  });
  expect((await scene.pod('bare')).status.message).toContain(resource);
  await agentReady(node);
  await offered(cluster, node.name, resource, 2);
  for (const name of ['one', 'two']) await startInTheEnd(scene, podWith(name));
  expect(await deviceOf('one')).not.toBe(await deviceOf('two'));
  const pods = await listPods(cluster, scene.namespace);
  await scene.remove('pod', ...pods.map(({ metadata }) => metadata.name));
});
