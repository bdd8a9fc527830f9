/**
 * `csi`: lives of volumes, snapshots, throughput, many volumes and memory, beside shell tools, cp, a file on the disk, and
 * csi-driver-host-path.
 */
import { join } from 'node:path';
import { build } from '../../scripts/build.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { ensureCaller } from './csi/caller.ts';
import { crowdFigures } from './csi/crowd.ts';
import { requireFio } from './csi/fio.ts';
import { startHost } from './csi/host.ts';
import { checkHostpath, hostpathFigures } from './csi/hostpath.ts';
import { lifeFigures } from './csi/life.ts';
import { memoryFigures } from './csi/memory.ts';
import { parallelFigures } from './csi/parallel.ts';
import { makeSharingPool } from './csi/sharingpool.ts';
import { snapshotFigures } from './csi/snapshot.ts';
import { throughputFigures } from './csi/throughput.ts';
import type { Figure, Quantity } from './stats.ts';

export const csiBenchmark: Benchmark = {
  name: 'csi',
  async prepare() {
    await requireFio();
    checkHostpath();
    await ensureCaller();
    await build((line) => process.stderr.write(`bench: ${line}\n`));
  },
  async *run(scene: Scene): AsyncIterable<Figure | Quantity> {
    const host = await startHost(join(scene.work, 'o'), scene.signal);
    yield* lifeFigures(scene, host);
    yield* parallelFigures(scene, host);
    yield* throughputFigures(scene, host);
    await host.stop();
    const sharing = await startHost(
      join(scene.work, 's'),
      scene.signal,
      join(await makeSharingPool(scene.work, 5), 'p'),
    );
    yield* snapshotFigures(scene, sharing);
    yield* hostpathFigures(scene, sharing);
    await sharing.stop();
    yield* crowdFigures(scene);
    yield* memoryFigures(scene);
  },
};
