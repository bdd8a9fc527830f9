import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { berthNamespace, waitForAgents } from '../../scripts/deploy.ts';
import { inPod, kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, podManifest, useScene } from '../cluster/scene.ts';
import { agentReady, killAgent } from './agent.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('restarts');
const { cluster } = scene;
const nodeName = 'node-2';
const node = cluster.nodes[1]!;
const token = randomUUID();

async function agentIsBack(killed?: string): Promise<void> {
  await waitForAgents(cluster);
  await agentReady(node, killed);
}

async function answersPing(pod: Pod): Promise<void> {
  const ping = await node.exec(['busybox', 'ping', '-c', '1', '-W', '2', pod.status.podIP!]);
  expect(ping.stdout).toContain('1 packets received');
}

/** Asks inside the pod, again where the kubelet has just started and does not know its pods yet. */
async function works(name: string): Promise<Pod> {
  const pod = await scene.ready(name);
  const script = 'cat /data/token && exec 3<>/dev/fuse && echo open';
  await eventually(`pod ${name} to show its volume and its device`, 60, async () => {
    const { text } = await scene.inside(name, script);
    return text === `${token}\nopen` ? true : undefined;
  });
  await answersPing(pod);
  return pod;
}

/** The same without a kubelet to ask: through the root of the pod's processes, as the node sees them. */
async function worksSeenFromNode(pod: Pod): Promise<void> {
  const { stdout } = await node.exec(['sh', '-c', 'cat /proc/[0-9]*/root/data/token 2>/dev/null | sort -u']);
  expect(stdout.trim()).toBe(token);
  await answersPing(pod);
}

const options = { node: nodeName, limits: { 'berth.dev/fuse': 1 }, claims: { '/data': 'data' } };

describe('a pod with address, device and volume', () => {
  beforeAll(async () => {
    await scene.apply(claimManifest('data', 'berth-ext4', '64Mi'), podManifest('pod', options));
    await scene.ready('pod');
    await scene.inside('pod', `echo ${token} > /data/token && sync`);
  });
  // Nothing on a node starts its components again, so a test that failed half-way would take the others with it.
  afterEach(async () => {
    for (const component of ['containerd', 'kubelet'] as const)
      if (node.componentPid(component) === undefined) await node.start(component);
  });
  afterEach(() => invariantsHold(cluster));

  test('keeps all three while the agent is killed, and is deleted cleanly by the one that comes after', async () => {
    const before = await works('pod');
    const killed = await killAgent(node);
    const during = await works('pod');
    expect(during.status.podIP).toBe(before.status.podIP);
    await agentIsBack(killed);
    expect((await works('pod')).metadata.uid).toBe(before.metadata.uid);
    await scene.remove('pod', 'pod');
    await invariantsHold(cluster);
    await scene.apply(podManifest('pod', options));
    await works('pod');
  });

  test('can be deleted while the agent is down: the deletion ends when it is back', async () => {
    const killed = await killAgent(node);
    await scene.remove('pod', 'pod');
    await agentIsBack(killed);
    await invariantsHold(cluster);
    await scene.apply(podManifest('pod', options));
    await works('pod');
  });

  test('keeps all three while the kubelet is killed, and its devices can be allocated again', async () => {
    const before = await works('pod');
    await node.kill('kubelet');
    await worksSeenFromNode(before);
    await node.start('kubelet');
    await agentIsBack();
    await allocatable('2');
    expect((await works('pod')).metadata.uid).toBe(before.metadata.uid);
    await scene.apply(podManifest('second', { node: nodeName, limits: { 'berth.dev/fuse': 1 } }));
    await scene.ready('second');
    await scene.remove('pod', 'second');
  });

  test('keeps all three while containerd is killed', async () => {
    const before = await works('pod');
    await node.kill('containerd');
    await worksSeenFromNode(before);
    await node.start('containerd');
    await eventually('the node to be ready', 90, async () => {
      const status = '{.status.conditions[?(@.type=="Ready")].status}';
      return (await kubectl(cluster, ['get', 'node', nodeName, '-o', `jsonpath=${status}`])) === 'True'
        ? true
        : undefined;
    });
    const after = await works('pod');
    expect(after.status.podIP).toBe(before.status.podIP);
  });

  test('keeps all three while agent, kubelet and containerd are killed together', async () => {
    const [killed] = await Promise.all([killAgent(node), node.kill('kubelet'), node.kill('containerd')]);
    await node.start('containerd');
    await node.start('kubelet');
    await agentIsBack(killed);
    await works('pod');
  });

  test.each([1, 0])('comes back with its file after a power cycle of its node (node index %i)', async (index) => {
    const restarted = cluster.nodes[index]!;
    const name = `cycled-${index}`;
    const selector = ['-n', scene.namespace, '-l', `app=${name}`];
    await scene.apply(claimManifest(name, 'berth-xfs', '300Mi'), deployment(name, restarted.name));
    await kubectl(cluster, ['rollout', 'status', '-n', scene.namespace, `deployment/${name}`, '--timeout=90s']);
    const before = await podOf(name);
    await scene.inside(before.metadata.name, `echo ${token} > /data/token && sync`);
    await cluster.restartNode(index);
    await waitForAgents(cluster);
    // The kubelet admits what was on the node before any device plugin can register, so the pod with the device is replaced.
    const after = await eventually('a ready pod after the power cycle', 180, async () => {
      const pod = await podOf(name);
      const { stdout } = await inPod(cluster, pod, ['sh', '-c', 'cat /data/token && exec 3<>/dev/fuse && echo open']);
      return stdout === `${token}\nopen\n` ? pod : undefined;
    });
    expect(after.status.podIP).toMatch(/^10\.244\./);
    await kubectl(cluster, ['delete', 'deployment', name, '-n', scene.namespace]);
    await kubectl(cluster, ['delete', 'pod', ...selector, '--wait', '--timeout=60s']);
    await scene.remove('pvc', name);
  });
});

/** One pod with a device and a volume on a node, replaced when it fails. */
function deployment(name: string, on: string): object {
  const { spec } = podManifest(name, { ...options, node: on, claims: { '/data': name } });
  const labels = { app: name };
  const template = { metadata: { labels }, spec };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: 1, strategy: { type: 'Recreate' }, selector: { matchLabels: labels }, template },
  };
}

/** The pod of a deployment that is neither going nor failed. */
async function podOf(name: string): Promise<Pod> {
  const pods = await listPods(cluster, scene.namespace);
  const found = pods.find(
    ({ metadata, status }) =>
      metadata.labels?.['app'] === name && metadata.deletionTimestamp === undefined && status.phase === 'Running',
  );
  if (found === undefined) throw new Error(`deployment ${name} has no running pod`);
  return found;
}

async function allocatable(count: string): Promise<void> {
  await eventually(`${count} units of berth.dev/fuse to be allocatable on ${nodeName}`, 60, async () => {
    const path = 'jsonpath={.status.allocatable.berth\\.dev/fuse}';
    return (await kubectl(cluster, ['get', 'node', nodeName, '-o', path])) === count ? true : undefined;
  });
}

test('the agents have not restarted by themselves', async () => {
  // The container with the agent: its sidecar gives up with 1 when the driver or the API server is away.
  const code = '{.status.containerStatuses[?(@.name=="berth")].lastState.terminated.exitCode}';
  const names = `{range .items[*]}{.spec.nodeName}=${code} {end}`;
  const text = await kubectl(cluster, ['get', 'pods', '-n', berthNamespace, '-o', `jsonpath=${names}`]);
  expect(text.match(/=/g)).toHaveLength(cluster.nodes.length);
  // 137: killed by fault tests, or by the power cycle; anything else would be a fault of the agent.
  for (const found of text.matchAll(/(?<==)\d+/g)) expect(['137', '255']).toContain(found[0]);
});
