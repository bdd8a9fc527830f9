/** What is wrong with a volume or a pool, decided from facts: reasons, how bad it is, and what to do about it. Pure. */
import { formatBytes } from './quantity.ts';
import type { VolumeRecord } from './volume.ts';

/** Every reason there is; the words are stable, for alerts and searches. */
export const healthReasons = [
  'ImageMissing',
  'ImageSizeMismatch',
  'LoopDetached',
  'DirectIOLost',
  'FilesystemReadOnly',
  'FilesystemShutDown',
  'FsckNeeded',
  'PoolMissing',
  'PoolReadOnly',
  'PoolFull',
  'BackingDeviceErrors',
] as const;
export type HealthReason = (typeof healthReasons)[number];

/** degraded: it works, not as it should. inaccessible: it does not. data_loss: something is gone. */
export type Severity = 'degraded' | 'inaccessible' | 'data_loss';

export interface HealthStatus {
  readonly severity: Severity;
  readonly reason: HealthReason;
  /** A sentence for people: what it is and what to do. */
  readonly message: string;
}

/** A pool as it is now. */
export interface PoolFacts {
  readonly name: string;
  /** Why it is not there, or not the pool that was opened; then the rest says nothing. */
  readonly missing?: string | undefined;
  /** The kernel writes nothing to its filesystem. */
  readonly readonly: boolean;
  /** Errors its filesystem has counted; 0 where it counts none. */
  readonly errors: bigint;
  readonly total: bigint;
  readonly available: bigint;
}

/** A volume as it is now. */
export interface VolumeFacts {
  readonly volume: Pick<VolumeRecord, 'id' | 'bytes' | 'grownFrom' | 'use' | 'provisioning'>;
  readonly pool: PoolFacts;
  /** Its bytes end with the boot: there are none before it is staged. */
  readonly volatile: boolean;
  /** Size of its bytes on disk; undefined when there are none. */
  readonly bytes: bigint | undefined;
  /** Staged for pods by all we know. */
  readonly staged: boolean;
  /** A pod may write to it. */
  readonly writable: boolean;
  readonly attached: boolean;
  /** Whether it goes past the page cache of the node, or could: undefined for volumes without a device. */
  readonly directIo: { readonly on: boolean; readonly possible: boolean } | undefined;
  /** Its mounted filesystem; undefined while it is not mounted. */
  readonly mounted:
    { readonly options: readonly string[]; readonly answers: boolean; readonly errors: bigint } | undefined;
  /** The filesystem says of itself that it is damaged; known while it is not mounted. */
  readonly faulty: boolean;
}

const order: readonly Severity[] = ['data_loss', 'inaccessible', 'degraded'];

/** Words among a filesystem's options with which the kernel tells that it has stopped writing, or all. */
const stopped = { writing: ['ro', 'emergency_ro'], all: ['shutdown'] } as const;

/** Part of a filesystem the ledger leaves free: below half of it somebody else is filling the disk. */
function isFull({ total, available }: PoolFacts): boolean {
  const half = total / 200n;
  const least = 8n << 20n;
  const most = 512n << 20n;
  return available < (half < least ? least : half > most ? most : half);
}

/** What is wrong with a pool, worst first; nothing is wrong with most. */
export function poolHealth(pool: PoolFacts): readonly HealthStatus[] {
  const name = `pool "${pool.name}"`;
  if (pool.missing !== undefined) {
    const message = `${name} is not there: ${pool.missing}; mount its disk again`;
    return [{ severity: 'inaccessible', reason: 'PoolMissing', message }];
  }
  const found: HealthStatus[] = [];
  if (pool.readonly) {
    const message = `${name} cannot be written to: the kernel has made its filesystem read-only, mostly after an error of the disk; see the kernel log, check the disk and mount it again`;
    found.push({ severity: 'degraded', reason: 'PoolReadOnly', message });
  }
  if (pool.errors > 0n) {
    const message = `the filesystem of ${name} has counted ${pool.errors} errors: the disk below may be failing; save what is precious and check it`;
    found.push({ severity: 'degraded', reason: 'BackingDeviceErrors', message });
  }
  if (isFull(pool)) {
    const message = `${name} has ${formatBytes(pool.available)} left: no more volumes and no more of thin ones; delete what is not needed, or enlarge it`;
    found.push({ severity: 'degraded', reason: 'PoolFull', message });
  }
  return found;
}

/** What is wrong with a volume, worst first; nothing is wrong with most. */
export function volumeHealth(facts: VolumeFacts): readonly HealthStatus[] {
  const pool = poolHealth(facts.pool);
  if (facts.pool.missing !== undefined) return pool;
  const found = [
    bytesOf(facts),
    deviceOf(facts),
    directIoOf(facts),
    filesystemOf(facts),
    // A thick volume has its space; a thin one takes it when it is written to.
    ...pool.filter(({ reason }) => reason !== 'PoolFull' || facts.volume.provisioning === 'thin'),
  ].filter((status) => status !== undefined);
  return found.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

function bytesOf({ volume, volatile, bytes, staged }: VolumeFacts): HealthStatus | undefined {
  if (volatile) return undefined;
  if (bytes === undefined) {
    const who = staged ? 'pods that have it open can still read it: copy from there now' : 'no pod has it';
    const message = `the bytes of volume ${volume.id} are no longer in the pool; ${who}; restore a snapshot or a backup`;
    return { severity: 'data_loss', reason: 'ImageMissing', message };
  }
  if (bytes === volume.bytes) return undefined;
  const has = `volume ${volume.id} has ${bytes} bytes in the pool, ${volume.bytes} expected`;
  if (volume.grownFrom !== undefined && bytes >= volume.grownFrom && bytes < volume.bytes) return undefined;
  if (bytes < volume.bytes) {
    const message = `${has}: its end has been cut off; restore a snapshot or a backup`;
    return { severity: 'data_loss', reason: 'ImageSizeMismatch', message };
  }
  const message = `${has}: something has enlarged it; nothing is lost, but the pool's room is counted wrongly`;
  return { severity: 'degraded', reason: 'ImageSizeMismatch', message };
}

function deviceOf({ volume, bytes, staged, attached }: VolumeFacts): HealthStatus | undefined {
  if (!staged || attached || bytes === undefined) return undefined;
  const message = `volume ${volume.id} is staged for pods, but something has detached it from the kernel; restart the pods that use it`;
  return { severity: 'inaccessible', reason: 'LoopDetached', message };
}

function directIoOf({ volume, directIo }: VolumeFacts): HealthStatus | undefined {
  if (directIo === undefined || directIo.on || !directIo.possible) return undefined;
  const message = `volume ${volume.id} goes through the node's page cache, although its pool could do without: it is slower and takes the node's memory; restart the pods that use it`;
  return { severity: 'degraded', reason: 'DirectIOLost', message };
}

function filesystemOf({ volume, mounted, writable, faulty }: VolumeFacts): HealthStatus | undefined {
  if (volume.use.kind !== 'filesystem') return undefined;
  const what = `the ${volume.use.type} of volume ${volume.id}`;
  const check = 'stop the pods that use it, it is checked when it is staged again';
  if (mounted === undefined) {
    if (!faulty) return undefined;
    const message = `${what} says of itself that it is damaged; it is checked when it is staged, and if that fails it has to be repaired by hand (e2fsck, xfs_repair)`;
    return { severity: 'degraded', reason: 'FsckNeeded', message };
  }
  const has = (words: readonly string[]): boolean => words.some((word) => mounted.options.includes(word));
  if (!mounted.answers || has(stopped.all)) {
    const message = `${what} has shut down after an error and answers nothing any more; ${check}`;
    return { severity: 'inaccessible', reason: 'FilesystemShutDown', message };
  }
  if (writable && has(stopped.writing)) {
    const message = `${what} has become read-only after an error, and pods want to write to it; ${check}`;
    return { severity: 'degraded', reason: 'FilesystemReadOnly', message };
  }
  if (mounted.errors === 0n) return undefined;
  const message = `${what} has counted ${mounted.errors} errors; ${check}`;
  return { severity: 'degraded', reason: 'FsckNeeded', message };
}
