// Many pods at once, created and deleted in waves while agents, kubelets and containerds are killed in between.
import { afterAll, afterEach, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { isSettled, kubectl, listPods } from '../../scripts/kubectl.ts';
import { eventually, podManifest, useScene } from '../cluster/scene.ts';
import { killAgent, replaceAgents } from './agent.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('waves');
const { cluster } = scene;
const [first, second, third] = cluster.nodes as readonly [ClusterNode, ClusterNode, ClusterNode];

/** Pods of a wave on each of three nodes. A hundred, as a full node has, take minutes on two cores. */
const perNode = Number(process.env['BERTH_WAVE_PODS'] ?? 8);
const patience = 60 + 2 * 3 * perNode;

/** Every third pod has a port of its node, every fourth is limited. The kubelet refuses a port while a pod before has it. */
function wave(name: string, firstPort: number): readonly object[] {
  return cluster.nodes.flatMap((node) =>
    Array.from({ length: perNode }, (_, at) => {
      const pod = podManifest(`${name}-${node.name}-${at}`, {});
      const annotations = { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '10M' };
      const [main] = (pod.spec as { readonly containers: readonly object[] }).containers;
      const ports = at % 3 === 0 ? [{ containerPort: 80, hostPort: firstPort + at }] : [];
      return {
        ...pod,
        metadata: { ...pod.metadata, labels: { wave: name }, ...(at % 4 === 0 ? { annotations } : {}) },
        spec: {
          ...pod.spec,
          nodeName: node.name,
          containers: [{ ...main, ports }],
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
        },
      };
    }),
  );
}

async function settled(name: string): Promise<number> {
  const pods = await listPods(cluster, scene.namespace);
  return pods.filter((pod) => pod.metadata.labels?.['wave'] === name && isSettled(pod)).length;
}

async function someOf(name: string, share: number): Promise<void> {
  const wanted = Math.ceil(share * cluster.nodes.length * perNode);
  await eventually(`${wanted} pods of wave ${name} to be ready`, patience, async () =>
    (await settled(name)) >= wanted ? true : undefined,
  );
}

async function remove(name: string): Promise<void> {
  await kubectl(cluster, ['delete', 'pod', '-n', scene.namespace, '-l', `wave=${name}`, '--wait=false']);
}

/** Records on all nodes whose pods are of this test. */
async function attached(): Promise<number> {
  const counts = await Promise.all(
    cluster.nodes.map(async (node) => {
      const { stdout } = await node.exec([
        'sh',
        '-c',
        `grep -l '"${scene.namespace}"' /run/berth/attachments/*.json | wc -l`,
      ]);
      return Number(stdout);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function restart(node: ClusterNode, component: 'kubelet' | 'containerd'): Promise<void> {
  await node.kill(component);
  await node.start(component);
}

afterEach(async () => {
  for (const node of cluster.nodes)
    for (const component of ['containerd', 'kubelet'] as const)
      if (node.componentPid(component) === undefined) await node.start(component);
});
afterAll(async () => {
  await kubectl(cluster, ['delete', 'pod', '-n', scene.namespace, '--all', '--wait=false']);
});

test(`${perNode} pods per node come and go in waves while agents, kubelets and containerds die, and nothing is left over`, async () => {
  await scene.apply(...wave('a', 20_000));
  await someOf('a', 0.2);
  await Promise.all([killAgent(first), restart(second, 'kubelet'), restart(third, 'containerd')]);
  await someOf('a', 1);
  await invariantsHold(cluster);

  // The next wave comes while the first goes.
  await remove('a');
  await replaceAgents([second]);
  await scene.apply(...wave('b', 21_000));
  await Promise.all([killAgent(third), restart(first, 'containerd'), restart(second, 'containerd')]);
  await someOf('b', 0.5);
  await Promise.all([killAgent(first), restart(third, 'kubelet')]);
  await someOf('b', 1);

  await remove('b');
  await Promise.all([killAgent(second), restart(first, 'kubelet'), restart(third, 'containerd')]);
  await eventually('every pod’s attachment to be gone', patience, async () =>
    (await attached()) === 0 ? true : undefined,
  );
  await invariantsHold(cluster);
}, 1_200_000);
