/** One cluster with Berth on it for the whole run of the tests in test/cluster and test/faults. */
import { join } from 'node:path';
import { downCluster, upCluster } from '../../cluster/cluster.ts';
import type { NodeDisk } from '../../cluster/disks.ts';
import { applySnapshots, deployBerth, sidecarImages, snapshotImages } from '../../scripts/deploy.ts';

/** Name by which the tests find it with `useCluster`; two runs at once on one machine need two. */
export const clusterName = process.env['BERTH_TEST_CLUSTER'] ?? 'test';

const MiB = 1_048_576;

/** Pools on filesystems of their own, on which volumes and snapshots can share bytes. */
const disks: readonly NodeDisk[] = [
  { target: '/var/lib/berth/pools/default', bytes: 10_240 * MiB, filesystem: 'xfs' },
  { target: '/var/lib/berth/pools/small', bytes: 400 * MiB, filesystem: 'xfs' },
  { target: '/var/lib/berth/pools/subvolumes', bytes: 1024 * MiB, filesystem: 'btrfs' },
];

/** Berth as it is on that cluster. */
export const manifests = join(import.meta.dirname, 'daemonset');

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
    images: ['busybox', ...sidecarImages, ...snapshotImages],
    disks,
    onStep: say,
  });
  try {
    await applySnapshots(cluster, say);
    await deployBerth(cluster, say, manifests);
  } catch (error) {
    await downCluster(clusterName);
    throw error;
  }
  return async () => {
    await cluster.down();
  };
}
