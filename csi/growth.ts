/** Growth of a volume: the new size is written first, then the bytes, the device and the filesystem follow; it can be repeated. */
import { BerthError, errnoOf } from '../kit/errors.ts';
import { failureOf } from './failures.ts';
import type { PoolParts } from './poolparts.ts';
import { measure, promiseOf } from './promises.ts';
import { formatBytes } from './quantity.ts';
import { sizeOf } from './sizing.ts';
import type { CapacityRange, VolumeRecord } from './volume.ts';

/**
 * Brings the volume to the size asked for, in place and while pods use it. Nothing happens when it is large enough. Throws
 * OUT_OF_RANGE when it would have to shrink, RESOURCE_EXHAUSTED without room. The caller holds the volume.
 */
export async function growVolume(volume: VolumeRecord, range: CapacityRange, parts: PoolParts): Promise<VolumeRecord> {
  const wanted = wantedBytes(volume, range, parts);
  if (wanted > volume.bytes) return await finishGrowth(await begin(volume, wanted, parts), parts);
  return volume.grownFrom === undefined ? volume : await finishGrowth(volume, parts);
}

/** Goes on with a growth whose intent is written. */
export async function finishGrowth(volume: VolumeRecord, parts: PoolParts): Promise<VolumeRecord> {
  const { engine, store, volumes, ledger, pool, atPoint } = parts;
  try {
    await engine.grow(volume);
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC') await giveUp(volume, parts);
    throw failureOf(error, `growing volume ${volume.id} in pool "${pool.name}"`);
  }
  atPoint('grow.grown');
  const grown: VolumeRecord = { ...volume, grownFrom: undefined };
  await store.write({ kind: 'volume', record: grown });
  volumes.enter(grown);
  await ledger.settle(volume.id, grown.provisioning === 'thick' ? undefined : 0n);
  await measure(grown.family, parts);
  return grown;
}

function wantedBytes(volume: VolumeRecord, range: CapacityRange, { engine }: PoolParts): bigint {
  const { required, limit } = range;
  if (limit > 0n && limit < volume.bytes) {
    throw new BerthError(
      'OUT_OF_RANGE',
      `volume ${volume.id} has ${formatBytes(volume.bytes)}, at most ${formatBytes(limit)} asked: volumes never shrink`,
    );
  }
  if (required <= volume.bytes) return volume.bytes;
  return sizeOf({ required, limit }, volume.use.kind === 'block' ? 'block' : volume.use.type, engine.offers);
}

async function begin(volume: VolumeRecord, bytes: bigint, parts: PoolParts): Promise<VolumeRecord> {
  const { store, volumes, ledger, overcommit, atPoint } = parts;
  const growing: VolumeRecord = { ...volume, bytes, grownFrom: volume.grownFrom ?? volume.bytes };
  await ledger.reserve(volume.id, promiseOf(growing, overcommit) - promiseOf(volume, overcommit));
  try {
    await store.write({ kind: 'volume', record: growing });
  } catch (error) {
    await ledger.reduce(volume.id, promiseOf(volume, overcommit));
    throw error;
  }
  volumes.enter(growing);
  atPoint('grow.intent');
  return growing;
}

/** The pool had less room than its filesystem said: the volume stays as large as its bytes are. */
async function giveUp(volume: VolumeRecord, parts: PoolParts): Promise<void> {
  const { engine, store, volumes, ledger, overcommit } = parts;
  const before = volume.grownFrom;
  if (before === undefined || (await engine.sizeOf(volume)) !== before) return;
  const record: VolumeRecord = { ...volume, bytes: before, grownFrom: undefined };
  await store.write({ kind: 'volume', record });
  volumes.enter(record);
  await ledger.reduce(volume.id, promiseOf(record, overcommit));
}
