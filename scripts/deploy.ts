/** Berth onto a cluster of cluster/: the image into its nodes, the manifests applied, every agent ready. */
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { BerthError } from '../kit/errors.ts';
import { buildImage } from './image.ts';
import { kubectl, listPods } from './kubectl.ts';

export const manifestFolder = join(import.meta.dirname, '../daemonset');
export const berthNamespace = 'berth-system';

/** Builds the image where needed, loads and applies. Throws UNAVAILABLE with the agents' own reasons when one stays unready. */
export async function deployBerth(cluster: Cluster, progress: (line: string) => void): Promise<void> {
  const image = await buildImage({ progress });
  progress('Loading the image into every node');
  await cluster.load(image.path);
  await applyBerth(cluster, progress);
}

/** `kubectl apply -k daemonset/`, and waits until every agent is ready. */
export async function applyBerth(cluster: Cluster, progress: (line: string) => void): Promise<void> {
  progress('kubectl apply -k daemonset/');
  await kubectl(cluster, ['apply', '-k', manifestFolder]);
  await waitForAgents(cluster);
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'node', '--all', '--timeout=60s']);
}

/** Waits until the DaemonSet is rolled out. */
export async function waitForAgents(cluster: Cluster): Promise<void> {
  const rollout = await cluster.kubectl(['rollout', 'status', '-n', berthNamespace, 'ds/berth', '--timeout=120s']);
  if (rollout.code === 0) return;
  const pods = await listPods(cluster, berthNamespace);
  const logs = await Promise.all(
    pods.map((pod) =>
      cluster.kubectl(['logs', '-n', berthNamespace, pod.metadata.name, '--all-containers', '--tail=8', '--prefix']),
    ),
  );
  const said = logs.map(({ stdout, stderr }) => stdout + stderr).join('');
  throw new BerthError('UNAVAILABLE', `the agents did not become ready in 120 s; they say:\n${said}`);
}
