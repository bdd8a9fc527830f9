/** Every benchmark there is, in the order in which they run. */
import type { Benchmark } from './benchmark.ts';
import { cniBenchmark } from './cni.ts';
import { csiBenchmark } from './csi.ts';
import { deviceBenchmark } from './device.ts';
import { footprintBenchmark } from './footprint.ts';
import { nodesBenchmark } from './nodes.ts';
import { podsBenchmark } from './pods.ts';

export const benchmarks: readonly Benchmark[] = [
  cniBenchmark,
  deviceBenchmark,
  csiBenchmark,
  podsBenchmark,
  nodesBenchmark,
  footprintBenchmark,
];
