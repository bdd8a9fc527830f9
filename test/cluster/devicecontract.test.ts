/** The real kubelet does with plugins that fail what the scripted one of test/kubelet does; test/conformance adds its grace of five minutes. */
import { useCluster } from '../../cluster/cluster.ts';
import { kubeletContract } from '../kubelet/contract.ts';
import { realKubelet } from './realkubelet.ts';
import { clusterName } from './setup.ts';

const cluster = useCluster(clusterName);

kubeletContract(realKubelet(() => ({ cluster, node: cluster.nodes[1]! })));
