/** Looks at every pool and volume again and again, also at those nobody asks for; tells the log and the metrics what has changed. */
import { pause } from '../kit/backoff.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { HealthReason, HealthStatus } from './health.ts';
import type { OpenPool } from './openpool.ts';
import type { Pools } from './pools.ts';
import type { StorageHealth } from './storagehealth.ts';
import type { VolumeRecord } from './volume.ts';

/**
 * So often everything is looked at. The kubelet asks every minute for the volumes that pods use, and is told at once; this is
 * for the others, and for the log. A look reads the mount table and some files: spread over the time, those at thousands of
 * volumes keep nobody waiting.
 */
const roundMs = 300_000;
/** No longer than this from one volume to the next, so that few are soon done. */
const longestPauseMs = 1_000;

/** Reasons of a pool: told once for the pool, not for each of its volumes. */
const poolReasons: ReadonlySet<HealthReason> = new Set([
  'PoolMissing',
  'PoolReadOnly',
  'PoolFull',
  'BackingDeviceErrors',
]);

/** What the last round saw of a volume. */
export interface VolumeFigures {
  readonly pool: string;
  readonly volume: string;
  readonly bytes: bigint;
  /** Bytes of the pool it takes; undefined for engines that do not tell. */
  readonly allocated: bigint | undefined;
  /** Undefined while it has no device. */
  readonly directIo: boolean | undefined;
  /** What is wrong with the volume itself. */
  readonly reasons: readonly HealthReason[];
}

/** Told of each change of health. */
export type OnHealthChange = (what: 'pool' | 'volume', health: HealthReason, to: 'bad' | 'well') => void;

export interface HealthWatchParts {
  readonly pools: Pools;
  readonly health: StorageHealth;
  readonly log: Logger;
  readonly onChange: OnHealthChange;
}

export class HealthWatch {
  readonly #parts: HealthWatchParts;
  #volumes = new Map<string, VolumeFigures>();
  #pools = new Map<string, readonly HealthReason[]>();
  #running: Promise<void> = Promise.resolve();

  constructor(parts: HealthWatchParts) {
    this.#parts = parts;
  }

  /** Figures of all volumes that have been looked at, those in bad health first. */
  volumes(): readonly VolumeFigures[] {
    const all = [...this.#volumes.values()];
    return [...all.filter(({ reasons }) => reasons.length > 0), ...all.filter(({ reasons }) => reasons.length === 0)];
  }

  /** What is wrong with pools, by name. */
  pools(): ReadonlyMap<string, readonly HealthReason[]> {
    return this.#pools;
  }

  /** Goes round until the signal fires. */
  start(signal: AbortSignal): void {
    this.#running = (async () => {
      let began: number;
      do {
        began = performance.now();
        await this.round(signal);
      } while (await pause(Math.max(0, roundMs - (performance.now() - began)), signal));
    })();
  }

  /** Resolves when nothing is looked at any more, after the signal. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** One look at everything, with pauses in between, until the signal fires. */
  async round(signal: AbortSignal, pauseMs = this.#pauseMs()): Promise<void> {
    const seen = new Set<string>();
    for (const open of this.#parts.pools.all()) {
      await this.#lookAtPool(open);
      for (const volume of open.volumes.all()) {
        seen.add(volume.id);
        if (volume.state === 'ready') await this.#lookAtVolume(open, volume);
        if (!(await pause(pauseMs, signal))) return;
      }
    }
    for (const id of this.#volumes.keys()) if (!seen.has(id)) this.#volumes.delete(id);
  }

  #pauseMs(): number {
    const count = this.#parts.pools.all().reduce((sum, { volumes }) => sum + volumes.all().length, 1);
    return Math.min(longestPauseMs, roundMs / count);
  }

  async #lookAtPool(open: OpenPool): Promise<void> {
    const { health, log } = this.#parts;
    const pool = open.pool.name;
    try {
      const statuses = await health.ofPool(open);
      this.#tell({ pool }, this.#pools.get(pool) ?? [], statuses);
      this.#pools.set(
        pool,
        statuses.map(({ reason }) => reason),
      );
    } catch (error) {
      log.warn({ event: 'health.unknown', pool, reason: messageOf(error) }, 'health of a pool could not be read');
    }
  }

  async #lookAtVolume(open: OpenPool, record: VolumeRecord): Promise<void> {
    const { health, log } = this.#parts;
    const [pool, volume] = [open.pool.name, record.id];
    try {
      const { facts, statuses } = await health.ofVolume(open, record);
      const own = statuses.filter(({ reason }) => !poolReasons.has(reason));
      const inspection = facts.pool.missing === undefined ? await open.parts.engine.inspect?.(record) : undefined;
      // Deleted meanwhile: there is nothing to tell of it.
      if (open.volumes.find(volume)?.state !== 'ready') return;
      this.#tell({ pool, volume }, this.#volumes.get(volume)?.reasons ?? [], own);
      this.#volumes.set(volume, {
        pool,
        volume,
        bytes: record.bytes,
        allocated: inspection?.allocated,
        directIo: facts.directIo?.on,
        reasons: own.map(({ reason }) => reason),
      });
    } catch (error) {
      log.warn({ event: 'health.unknown', volume, reason: messageOf(error) }, 'health of a volume could not be read');
    }
  }

  /** One line for each reason that is new, and one for each that is no more. */
  #tell(
    whose: { readonly pool: string; readonly volume?: string },
    before: readonly HealthReason[],
    now: readonly HealthStatus[],
  ): void {
    const { log, onChange } = this.#parts;
    const what = whose.volume === undefined ? 'pool' : 'volume';
    for (const { severity, reason, message } of now) {
      if (before.includes(reason)) continue;
      const line = { event: `${what}.unhealthy`, ...whose, health: reason, severity, reason: message };
      if (severity === 'degraded') log.warn(line, `${what} is in bad health`);
      else log.error(line, `${what} is in bad health`);
      onChange(what, reason, 'bad');
    }
    for (const reason of before) {
      if (now.some((status) => status.reason === reason)) continue;
      log.info({ event: `${what}.recovered`, ...whose, health: reason }, `${what} is well again`);
      onChange(what, reason, 'well');
    }
  }
}
