/** Bringing the API server back, with those who would take long to notice. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/node.ts';
import { eventually } from '../cluster/scene.ts';

/** Starts it where it does not run; resolves when it is ready. `control` is the node that has it. */
export async function startApiServer(cluster: Cluster, control: ClusterNode): Promise<void> {
  if (control.componentPid('kube-apiserver') !== undefined) return;
  await control.start('kube-apiserver');
  await eventually('the API server to be ready', 120, async () => {
    const { code } = await cluster.kubectl(['get', '--raw', '/readyz']);
    return code === 0 ? true : undefined;
  });
  // These would wait up to half a minute before they ask it again, and what follows with them.
  for (const component of ['kube-controller-manager', 'kube-scheduler'] as const) await control.restart(component);
}
