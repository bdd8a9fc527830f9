/** A node's kubelet as the contract of kubelets asks it: plugins of the test are served right in its directory. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/node.ts';
import type { KubeletUnderTest } from '../kubelet/contract.ts';
import { countsOf } from './devicerules.ts';

/** `where` is asked each time: a cluster may come up after the tests were collected, and a node have another root after a restart. */
export function realKubelet(where: () => { readonly cluster: Cluster; readonly node: ClusterNode }): KubeletUnderTest {
  return {
    rootDir: () => `/proc/${where().node.pid}/root/var/lib/kubelet`,
    countsOf: (resource) => {
      const { cluster, node } = where();
      return countsOf(cluster, node.name, resource);
    },
  };
}
