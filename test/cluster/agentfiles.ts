/** Files that agents see of a mounted ConfigMap, and waiting until each of them has a text. */
import type { Cluster } from '../../cluster/cluster.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { eventually } from './scene.ts';

/** A path below the volume's folder: `devices/rules.yaml`. An empty text is no file. A pod that is annotated is synced at once, its volumes with it. */
export async function everyAgentHas(cluster: Cluster, path: string, text: string): Promise<void> {
  const selector = ['-n', berthNamespace, '-l', 'app.kubernetes.io/component=agent'];
  const file = `/var/lib/kubelet/pods/*/volumes/kubernetes.io~configmap/${path}`;
  await eventually(`the agents to see ${path} of the ConfigMap`, 90, async () => {
    await kubectl(cluster, ['annotate', 'pods', ...selector, '--overwrite', `berth.dev/synced=${Date.now()}`]);
    const seen = await Promise.all(cluster.nodes.map((node) => node.exec(['sh', '-c', `cat ${file} 2>/dev/null`])));
    return seen.every(({ stdout }) => stdout === text) ? true : undefined;
  });
}
