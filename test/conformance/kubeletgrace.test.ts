// What takes the real kubelet five minutes: when devices of a plugin that has gone are no longer counted.
import { afterAll, beforeAll } from 'vitest';
import { upCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { realKubelet } from '../cluster/realkubelet.ts';
import { clusterName } from '../cluster/setup.ts';
import { kubeletGrace } from '../kubelet/contract.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await upCluster({ name: `${clusterName}-grace`, kubeProxy: false });
});
afterAll(async () => {
  await cluster.down();
});

kubeletGrace(realKubelet(() => ({ cluster, node: cluster.nodes[0]! })));
