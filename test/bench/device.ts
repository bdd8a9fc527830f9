/**
 * `device`: hot-plug, start, a restarted kubelet, allocation and memory of the agent as it is delivered, in a kubelet's eyes,
 * beside squat/generic-device-plugin, whose program PEER_GENERIC_DEVICE_PLUGIN names. No registry serves it.
 */
import { build } from '../../scripts/build.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { hotplugFigures, syntheticFigures } from './device/hotplug.ts';
import { lifeFigures } from './device/life.ts';
import { checkPeer } from './device/sides.ts';
import type { Figure, Quantity } from './stats.ts';

export const deviceBenchmark: Benchmark = {
  name: 'device',
  async prepare() {
    checkPeer();
    await build((line) => process.stderr.write(`bench: ${line}\n`));
  },
  async *run(scene: Scene): AsyncIterable<Figure | Quantity> {
    yield* hotplugFigures(scene);
    yield* syntheticFigures(scene);
    yield* lifeFigures(scene);
  },
};
