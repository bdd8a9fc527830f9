/** Berth onto a cluster of cluster/: the image into its nodes, the manifests applied, every agent ready. */
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import type { ImageName } from '../cluster/namedimages.ts';
import { ensureSnapshotCrds } from '../cluster/snapshotcrds.ts';
import { BerthError } from '../kit/errors.ts';
import { buildImage } from './image.ts';
import { kubectl, listPods } from './kubectl.ts';

export const manifestFolder = join(import.meta.dirname, '../daemonset');
export const berthNamespace = 'berth-system';

/** What runs beside the agent in its pods. */
export const sidecarImages: readonly ImageName[] = ['csi-provisioner', 'csi-resizer', 'csi-snapshotter'];
/** What `applySnapshots` starts. */
export const snapshotImages: readonly ImageName[] = ['snapshot-controller'];

/** Builds the image where needed, loads and applies. Throws UNAVAILABLE with the agents' own reasons when one stays unready. */
export async function deployBerth(
  cluster: Cluster,
  progress: (line: string) => void,
  manifests?: string,
): Promise<void> {
  const image = await buildImage({ progress });
  progress('Loading the image into every node');
  await cluster.load(image.path);
  await applyBerth(cluster, progress, manifests);
}

/**
 * `kubectl apply -k` of the policies that tie agents to their nodes, and of `daemonset/` or an overlay over it; waits until every agent
 * is ready.
 */
export async function applyBerth(
  cluster: Cluster,
  progress: (line: string) => void,
  manifests = manifestFolder,
): Promise<void> {
  progress(`kubectl apply -k ${manifests === manifestFolder ? 'daemonset/' : manifests}`);
  await kubectl(cluster, ['apply', '-k', join(manifestFolder, 'policies')]);
  await kubectl(cluster, ['apply', '-k', manifests]);
  await waitForAgents(cluster);
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'node', '--all', '--timeout=60s']);
}

/**
 * The snapshot API, its controller, Berth's class and the policies that say which node has a source, as docs/claims.md tells it to users. It needs no Berth yet, nor does it
 * wait for the controller, which starts when there is a pod network.
 */
export async function applySnapshots(cluster: Cluster, progress: (line: string) => void): Promise<void> {
  progress('kubectl apply -k daemonset/snapshots');
  const crds = ['-f', await ensureSnapshotCrds()];
  await kubectl(cluster, ['apply', ...crds]);
  await kubectl(cluster, ['wait', '--for=condition=Established', ...crds, '--timeout=60s']);
  for (const folder of ['snapshots/controller', 'snapshots', 'placement']) {
    await kubectl(cluster, ['apply', '-k', join(manifestFolder, folder)]);
  }
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
