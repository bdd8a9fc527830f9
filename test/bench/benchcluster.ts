/** A cluster of one node with Berth on it, inside a benchmark's namespaces. */
import { join } from 'node:path';
import { upCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { ensurePrograms } from '../../cluster/build.ts';
import { ensureImages } from '../../cluster/namedimages.ts';
import { nodePrograms } from '../../cluster/programs.ts';
import { deployBerth, sidecarImages } from '../../scripts/deploy.ts';
import { buildImage } from '../../scripts/image.ts';

const images = ['pause', 'busybox', ...sidecarImages] as const;

/** The image that the benchmarks' pods run. */
export const busybox = 'docker.io/library/busybox:1.37';

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

/** Builds what is missing while there still is a network. */
export async function prepareCluster(): Promise<void> {
  await ensurePrograms(nodePrograms);
  await ensureImages(images);
  await buildImage({ progress: say });
}

/** Runs `work` on a cluster whose files are in `folder`. */
export async function* withCluster<T>(folder: string, work: (cluster: Cluster) => AsyncIterable<T>): AsyncIterable<T> {
  const cluster = await upCluster({
    name: 'bench',
    nodes: 1,
    images,
    dir: join(folder, 'cluster'),
    onStep: say,
  });
  try {
    await deployBerth(cluster, say);
    yield* work(cluster);
  } finally {
    await cluster.down();
  }
}
