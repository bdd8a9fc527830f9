/** Metrics of single volumes and of health, from what the last looks saw: a scrape reads nothing from disks. */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { HealthReason } from './health.ts';
import type { OnHealthChange, VolumeFigures } from './healthwatch.ts';

/** So many volumes have series of their own, those in bad health first: a node with thousands would fill the time series database. */
const mostVolumes = 500;

/** What there is to show now; nothing while the service is stopped. */
export interface HealthFigures {
  volumes(): readonly VolumeFigures[];
  /** What is wrong with pools, by name. */
  pools(): ReadonlyMap<string, readonly HealthReason[]>;
}

/** Registers the metrics once per registry. */
export function volumeMetrics(registry: Registry, figures: () => HealthFigures | undefined): OnHealthChange {
  const registers = [registry];
  const bound = ` Of the ${mostVolumes} first volumes, those in bad health before others; at most 5 minutes old.`;
  const gauge = (name: string, help: string, read: (now: VolumeFigures) => number | undefined): void => {
    new Gauge({
      name,
      help: `${help}${bound}`,
      labelNames: ['pool', 'volume'],
      registers,
      collect() {
        this.reset();
        for (const now of figures()?.volumes().slice(0, mostVolumes) ?? []) {
          const value = read(now);
          if (value !== undefined) this.set({ pool: now.pool, volume: now.volume }, value);
        }
      },
    });
  };
  gauge('berth_csi_volume_size_bytes', 'Size of the volume.', ({ bytes }) => Number(bytes));
  gauge('berth_csi_volume_allocated_bytes', 'Bytes of the pool that the volume takes.', ({ allocated }) =>
    allocated === undefined ? undefined : Number(allocated),
  );
  gauge(
    'berth_csi_volume_direct_io',
    'Whether an attached volume goes past the page cache of the node (1) or through it (0).',
    ({ directIo }) => (directIo === undefined ? undefined : Number(directIo)),
  );
  new Gauge({
    name: 'berth_csi_volume_unhealthy',
    help: `1 for each thing that is wrong with a volume.${bound}`,
    labelNames: ['pool', 'volume', 'health'],
    registers,
    collect() {
      this.reset();
      for (const { pool, volume, reasons } of figures()?.volumes().slice(0, mostVolumes) ?? [])
        for (const health of reasons) this.set({ pool, volume, health }, 1);
    },
  });
  new Gauge({
    name: 'berth_csi_pool_unhealthy',
    help: '1 for each thing that is wrong with a pool.',
    labelNames: ['pool', 'health'],
    registers,
    collect() {
      this.reset();
      for (const [pool, reasons] of figures()?.pools() ?? [])
        for (const health of reasons) this.set({ pool, health }, 1);
    },
  });
  const changes = new Counter({
    name: 'berth_csi_health_changes_total',
    help: 'Changes of health that were seen, by pool or volume, what is wrong, and whether it became bad or well.',
    labelNames: ['what', 'health', 'to'],
    registers,
  });
  return (what, health, to) => {
    changes.inc({ what, health, to });
  };
}
