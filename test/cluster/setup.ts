/** One cluster with Berth on it for the whole run of the tests in test/cluster and test/faults. */
import { downCluster, upCluster } from '../../cluster/cluster.ts';
import { deployBerth } from '../../scripts/deploy.ts';

/** Name by which the tests find it with `useCluster`; two runs at once on one machine need two. */
export const clusterName = process.env['BERTH_TEST_CLUSTER'] ?? 'test';

/** Vitest calls this before the first test of the project; what it returns after the last. */
export default async function setup(): Promise<() => Promise<void>> {
  const begin = performance.now();
  const say = (line: string): void => {
    process.stderr.write(`[cluster ${((performance.now() - begin) / 1000).toFixed(1)}s] ${line}\n`);
  };
  const cluster = await upCluster({
    name: clusterName,
    nodes: 3,
    far: 1,
    dns: true,
    images: ['busybox', 'csi-provisioner'],
    onStep: say,
  });
  try {
    await deployBerth(cluster, say);
  } catch (error) {
    await downCluster(clusterName);
    throw error;
  }
  return async () => {
    await cluster.down();
  };
}
