/** Metrics of the storage plugin: calls, the space of pools, what start-up found, and how long volumes were held still. */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { status } from '@grpc/grpc-js';
import type { FinishedCall } from '../protos/handlers.ts';
import type { Findings } from './reconcile.ts';

/** What is read of a pool at every scrape. */
export interface PoolFigures {
  readonly pool: string;
  readonly volumes: number;
  readonly snapshots: number;
  readonly reserved: bigint;
  readonly available: bigint;
  /** Of the filesystem, or of what the engine counts instead. */
  readonly total: bigint;
  readonly used: bigint;
  /** What deleted volumes and snapshots still take, as far as is known. */
  readonly trash: bigint;
  /** Sizes of all volumes. */
  readonly sizes: bigint;
}

export interface StorageMetrics {
  readonly onCall: (call: FinishedCall) => void;
  readonly onFindings: (pool: string, findings: Findings) => void;
  /** Told how long volumes were held still. */
  readonly onFrozen: (seconds: number) => void;
}

/** Registers the metrics once per registry. `figures` never rejects. */
export function storageMetrics(registry: Registry, figures: () => Promise<readonly PoolFigures[]>): StorageMetrics {
  const registers = [registry];
  const calls = new Counter({
    name: 'berth_csi_calls_total',
    help: 'Finished CSI calls by method and gRPC code.',
    labelNames: ['method', 'code'],
    registers,
  });
  const seconds = new Histogram({
    name: 'berth_csi_call_seconds',
    help: 'Duration of CSI calls.',
    labelNames: ['method'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const found = new Gauge({
    name: 'berth_csi_start_findings',
    help: 'What the last start found in the pool, by kind; 0 everywhere after a clean stop.',
    labelNames: ['pool', 'kind'],
    registers,
  });
  const frozen = new Histogram({
    name: 'berth_csi_freeze_seconds',
    help: 'How long volumes, and with them the pods that write, were held still for a snapshot or a copy.',
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 5, 10, 60],
    registers,
  });
  const gauge = (name: string, help: string, read: (now: PoolFigures) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers,
      async collect() {
        this.reset();
        for (const now of await figures()) this.set({ pool: now.pool }, read(now));
      },
    });
  };
  gauge('berth_csi_volumes', 'Volumes in the pool.', ({ volumes }) => volumes);
  gauge('berth_csi_snapshots', 'Snapshots in the pool.', ({ snapshots }) => snapshots);
  gauge('berth_csi_pool_reserved_bytes', 'Bytes promised to volumes and snapshots.', ({ reserved }) =>
    Number(reserved),
  );
  gauge('berth_csi_pool_available_bytes', 'The largest volume that fits.', ({ available }) => Number(available));
  gauge('berth_csi_pool_size_bytes', "Size of the pool's filesystem.", ({ total }) => Number(total));
  gauge('berth_csi_pool_allocated_bytes', "Bytes of the pool's filesystem that are used, by whomever.", ({ used }) =>
    Number(used),
  );
  gauge(
    'berth_csi_pool_trash_bytes',
    'Bytes that deleted volumes and snapshots still take, as far as is known; given to whoever needs them.',
    ({ trash }) => Number(trash),
  );
  gauge(
    'berth_csi_pool_overcommit_ratio',
    "Sizes of all volumes together, over the size of the pool's filesystem; above 1 they cannot all be full.",
    ({ sizes, total }) => (total === 0n ? 0 : Number(sizes) / Number(total)),
  );
  return {
    onFrozen(held) {
      frozen.observe(held);
    },
    onCall({ method, code, seconds: took }) {
      calls.inc({ method, code: status[code] });
      seconds.observe({ method }, took);
    },
    onFindings(pool, findings) {
      for (const [kind, count] of Object.entries(findings)) found.set({ pool, kind }, Number(count));
    },
  };
}
