/** Every benchmark there is, in the order in which they run. */
import type { Benchmark } from './benchmark.ts';
import { cniBenchmark } from './cni.ts';
import { csiBenchmark } from './csi.ts';
import { deviceBenchmark } from './device.ts';

export const benchmarks: readonly Benchmark[] = [cniBenchmark, deviceBenchmark, csiBenchmark];
