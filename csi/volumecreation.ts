/** Makes one new volume, empty or from a source: reserve, write the intent, make the bytes, write that it is ready. */
import { randomUUID } from 'node:crypto';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import { together } from '../kit/together.ts';
import type { Stored } from './engine.ts';
import { failureOf } from './failures.ts';
import { whileFrozen } from './freezing.ts';
import { parseIoLimits } from './iolimits.ts';
import { newObjectId } from './objectid.ts';
import { canLimit } from './poollimits.ts';
import type { PoolParts } from './poolparts.ts';
import { measureLater, promiseOf } from './promises.ts';
import { formatBytes } from './quantity.ts';
import { commonType, sizeOf, typeIn } from './sizing.ts';
import type { NewVolume } from './sizing.ts';
import { describeUse } from './volume.ts';
import type { VolumeRecord, VolumeUse } from './volume.ts';

/** Throws INVALID_ARGUMENT, OUT_OF_RANGE or RESOURCE_EXHAUSTED when there can be no such volume here. */
export async function makeVolume(
  request: NewVolume,
  source: Stored | undefined,
  parts: PoolParts,
): Promise<VolumeRecord> {
  const { pool, store, ledger, engine, volumes, overcommit, atPoint } = parts;
  const record = newRecord(request, source, parts);
  await parts.limits.assertPossible(parseIoLimits(record.mutable), canLimit(parts));
  const ready: VolumeRecord = { ...record, state: 'ready' };
  if (record.provisioning === 'thin' && overcommit > 1) await ledger.assertUsedAtMost(parts.thinWatermark);
  await ledger.reserve(record.id, promiseOf(record, overcommit));
  try {
    volumes.enter(record);
    await store.write({ kind: 'volume', record });
    atPoint('create.intent');
    const made =
      source !== undefined && !('sourceId' in source)
        ? whileFrozen([source], parts, () => engine.create(record, source))
        : engine.create(record, source);
    // What it says once the bytes are there is prepared while they are being made.
    await together([made, store.write({ kind: 'volume', record: ready }, made)]);
    atPoint('create.ready');
  } catch (error) {
    await undoFailed(record, parts);
    if (errnoOf(error) !== 'ENOSPC') throw failureOf(error, `creating volume "${request.name}"`);
    // The pool had less room than its filesystem said; now that the part is gone the ledger can tell how much.
    await ledger.reserve(record.id, promiseOf(record, overcommit));
    await ledger.release(record.id);
    throw failureOf(error, `creating volume "${request.name}" in pool "${pool.name}"`);
  }
  volumes.enter(ready);
  const own = source === undefined || engine.offers.copies === 'full';
  await ledger.settle(record.id, own && record.provisioning === 'thick' ? undefined : 0n);
  if (!own || record.provisioning === 'thin') measureLater(ready.family, parts);
  return ready;
}

/** Removes what an unfinished creation left. */
export async function undoVolume(record: VolumeRecord, { engine, store, ledger, volumes }: PoolParts): Promise<void> {
  await engine.discard(record);
  await store.remove(record.id);
  volumes.forget(record);
  await ledger.release(record.id);
}

async function undoFailed(record: VolumeRecord, parts: PoolParts): Promise<void> {
  try {
    await undoVolume(record, parts);
  } catch (error) {
    // It stays as an intent: the next call for this name, or the next start, undoes it.
    parts.log.error(
      { event: 'volume.undo_failed', volume: record.id, reason: messageOf(error) },
      'unfinished volume could not be undone',
    );
  }
}

function newRecord(request: NewVolume, source: Stored | undefined, { pool, engine }: PoolParts): VolumeRecord {
  const { offers } = engine;
  if (request.provisioning === 'thin' && !offers.thin) {
    throw new BerthError('INVALID_ARGUMENT', `pool "${pool.name}" (engine ${engine.kind}) has no thin volumes`);
  }
  const now = Date.now();
  const id = newObjectId('volume', pool.id, now);
  const { use, bytes } =
    source === undefined ? fresh(request, offers, pool.name) : sameAs(source, request, offers, pool.name);
  return {
    id,
    name: request.name,
    state: 'creating',
    bytes,
    use,
    provisioning: request.provisioning,
    parameters: request.parameters,
    mutable: request.mutable,
    source: request.source,
    family: source?.family ?? id,
    claim: request.claim,
    ephemeral: request.ephemeral,
    createdAt: new Date(now).toISOString(),
  };
}

type Shape = Pick<VolumeRecord, 'use' | 'bytes'>;

function fresh(request: NewVolume, offers: PoolParts['engine']['offers'], pool: string): Shape {
  const type = typeIn(offers, commonType(request.uses), pool);
  const use: VolumeUse = type === 'block' ? { kind: 'block' } : { kind: 'filesystem', type, uuid: randomUUID() };
  return { use, bytes: sizeOf(request.range, type, offers) };
}

/** A copy is what its source is, and at least as large. */
function sameAs(source: Stored, request: NewVolume, offers: PoolParts['engine']['offers'], pool: string): Shape {
  if (offers.copies === 'none')
    throw new BerthError('INVALID_ARGUMENT', `pool "${pool}" cannot copy volumes or restore snapshots`);
  const { use } = source;
  const type = use.kind === 'block' ? 'block' : use.type;
  const asked = commonType(request.uses);
  if (asked === undefined ? type === 'block' : asked !== type) {
    throw new BerthError(
      'INVALID_ARGUMENT',
      `the source ${source.id} is ${describeUse(use)}, ${asked === 'block' ? 'raw block' : (asked ?? 'a filesystem')} asked`,
    );
  }
  const { required = 0n, limit = 0n } = request.range ?? {};
  const range = { required: required === 0n ? source.bytes : required, limit };
  if (range.required < source.bytes || (limit > 0n && limit < source.bytes)) {
    throw new BerthError(
      'OUT_OF_RANGE',
      `the source ${source.id} has ${formatBytes(source.bytes)} (${source.bytes} bytes); ask for at least that`,
    );
  }
  return { use, bytes: sizeOf(range, type, offers) };
}
