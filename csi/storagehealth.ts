/** The health of this node's volumes and pools when somebody asks. */
import type { Placement } from './engine.ts';
import { failureOf } from './failures.ts';
import { poolHealth, volumeHealth } from './health.ts';
import type { HealthReason, HealthStatus, PoolFacts, VolumeFacts } from './health.ts';
import { readPoolFacts, readVolumeFacts } from './healthfacts.ts';
import type { StorageKernel } from './kernel.ts';
import type { OpenPool } from './openpool.ts';
import type { VolumeRecord } from './volume.ts';

/** Facts of a pool serve all its volumes that are asked about within this time. */
const poolFactsMs = 10_000;

/** What an operation that runs can look like from outside. */
const passing: ReadonlySet<HealthReason> = new Set(['LoopDetached', 'ImageSizeMismatch', 'DirectIOLost']);

/** The volume's facts and what follows from them. */
export interface VolumeHealth {
  readonly facts: VolumeFacts;
  readonly statuses: readonly HealthStatus[];
}

export class StorageHealth {
  readonly #kernel: Pick<StorageKernel, 'mounts' | 'filesystems'>;
  readonly #pools = new Map<string, { readonly since: number; readonly facts: Promise<PoolFacts> }>();

  constructor(kernel: Pick<StorageKernel, 'mounts' | 'filesystems'>) {
    this.#kernel = kernel;
  }

  async ofPool({ pool }: OpenPool): Promise<readonly HealthStatus[]> {
    return poolHealth(await readPoolFacts(pool, this.#kernel));
  }

  /** `placement` is one that has just been looked at. Throws when the kernel or the disk does not answer. */
  async ofVolume(open: OpenPool, volume: VolumeRecord, placement?: Placement): Promise<VolumeHealth> {
    const { operations } = open.parts;
    const ran = operations.busy(volume.id);
    const around = { pool: await this.#poolFacts(open), mounts: this.#kernel.mounts, placement };
    const facts = await readVolumeFacts(volume, open.parts, around).catch((error: unknown) => {
      throw failureOf(error, `reading the health of volume ${volume.id}`);
    });
    const runs = ran || operations.busy(volume.id);
    return { facts, statuses: volumeHealth(facts).filter(({ reason }) => !(runs && passing.has(reason))) };
  }

  #poolFacts({ pool }: OpenPool): Promise<PoolFacts> {
    const known = this.#pools.get(pool.id);
    const now = performance.now();
    if (known !== undefined && now - known.since < poolFactsMs) return known.facts;
    const facts = readPoolFacts(pool, this.#kernel);
    this.#pools.set(pool.id, { since: now, facts });
    return facts;
  }
}
