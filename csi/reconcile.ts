/**
 * Start-up: brings records, bytes, devices and mounts of a pool back into agreement after any crash or reboot. Idempotent;
 * unfinished work is undone or finished, what nobody uses is detached, what is not ours is reported and kept.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { messageOf } from '../kit/errors.ts';
import type { Groups } from './groups.ts';
import { finishGrowth } from './growth.ts';
import type { PoolParts } from './poolparts.ts';
import { measure, promiseOf } from './promises.ts';
import { undoSnapshot } from './snapshots.ts';
import type { Snapshots } from './snapshots.ts';
import type { SnapshotRecord } from './snapshot.ts';
import { ownerOf } from './objectid.ts';
import { podFolderOf } from './volume.ts';
import type { VolumeRecord } from './volume.ts';
import { undoVolume } from './volumecreation.ts';
import type { Volumes } from './volumes.ts';

export interface ReconcileParts extends PoolParts {
  readonly manager: { readonly volumes: Volumes; readonly snapshots: Snapshots; readonly groups: Groups };
}

/** What was found, by kind; all zero after a clean stop. */
export interface Findings {
  /** Creations undone, deletions and growths finished. */
  readonly unfinished: number;
  /** Filesystems that were held still. */
  readonly thawed: number;
  /** Devices nobody used. */
  readonly detached: number;
  /** Volumes and snapshots whose bytes are missing or have another size. */
  readonly damaged: number;
  /** Records that cannot be read. */
  readonly unreadable: number;
  /** Things in the pool that belong to no record. */
  readonly strangers: number;
  /** Volumes and snapshots that could not be brought in order; tried again at the next call or start. */
  readonly failed: number;
}

type Finding = keyof Findings;

export async function reconcile(parts: ReconcileParts): Promise<Findings> {
  const { store, ledger, engine, nodeState, volumes, snapshots, groups, manager, trash, log, overcommit } = parts;
  const findings = { unfinished: 0, thawed: 0, detached: 0, damaged: 0, unreadable: 0, strangers: 0, failed: 0 };
  const loaded = await store.load();
  await nodeState.load();
  for (const { file, reason } of loaded.unreadable) {
    findings.unreadable++;
    log.error({ event: 'pool.record_unreadable', file, reason }, 'record cannot be read; it and its bytes are kept');
  }
  for (const record of loaded.groups) groups.enter(record);
  for (const record of loaded.snapshots) {
    snapshots.enter(record);
    ledger.enter(record.id, promiseOf(record, overcommit), engine.offers.copies === 'full' ? undefined : 0n);
  }
  for (const record of loaded.volumes) {
    volumes.enter(record);
    const whole = record.provisioning === 'thick' && record.family === record.id;
    ledger.enter(record.id, promiseOf(record, overcommit), whole ? undefined : 0n);
  }
  for (const { file, bytes } of await engine.strangers([...loaded.volumes, ...loaded.snapshots])) {
    findings.strangers++;
    // One of ours that has lost its record may share its bytes with a volume, which then needs others when it is written to.
    const mayShare = engine.offers.copies === 'shared' && ownerOf(basename(file, '.img')) === parts.pool.id;
    ledger.enter(`file ${file}`, bytes, mayShare ? 0n : bytes);
    log.warn(
      { event: 'pool.stranger', file, bytes: String(bytes) },
      'file in the pool belongs to no volume; it is kept and counted',
    );
  }
  const found = await trash.load((id) => volumes.find(id)?.state ?? snapshots.find(id)?.state);
  findings.unreadable += found.unreadable.length;
  findings.strangers += found.strangers.length;
  for (const { file, bytes } of found.strangers) ledger.enter(`file ${file} in the trash`, bytes);
  const attempt = async (id: string, settle: () => Promise<Finding | undefined>): Promise<void> => {
    try {
      const found = await settle();
      if (found !== undefined) findings[found]++;
    } catch (error) {
      findings.failed++;
      log.error({ event: 'volume.unsettled', volume: id, reason: messageOf(error) }, 'could not be brought in order');
    }
  };
  // First of all: pods wait for it.
  for (const record of volumes.all())
    if (nodeState.of(record.id).frozen) await attempt(record.id, () => thaw(record, parts));
  for (const group of groups.all()) {
    if (group.state === 'ready') continue;
    await attempt(group.id, async () => {
      await (group.state === 'creating' ? manager.groups.undo(group) : manager.groups.finishDeletion(group));
      return 'unfinished';
    });
  }
  for (const record of snapshots.all()) await attempt(record.id, () => settleSnapshot(record, parts));
  for (const record of volumes.all()) await attempt(record.id, () => settleVolume(record, parts));
  for (const id of nodeState.ids()) if (volumes.find(id) === undefined) nodeState.set(id, { published: [] });
  await trash.purgeExpired();
  for (const record of volumes.all()) await attempt(record.id, () => removeOrphan(record, parts));
  // After the start: until it is measured, more is kept free than has to be.
  void parts.operations
    .named('pool', `${parts.pool.name}: shared space`, () => measureShared(parts))
    .catch((error: unknown) => {
      log.warn({ event: 'pool.measure_failed', reason: messageOf(error) }, 'shared space was not measured');
    });
  log.info(
    { event: 'pool.in_order', volumes: volumes.size, snapshots: snapshots.size, ...findings },
    'pool is in order',
  );
  return findings;
}

/** Families with several members, and thin volumes: what they have taken is read from their bytes. */
async function measureShared(parts: PoolParts): Promise<void> {
  const count = new Map<string, number>();
  for (const { family } of [...parts.volumes.all(), ...parts.snapshots.all()])
    count.set(family, (count.get(family) ?? 0) + 1);
  const thin = new Set(
    parts.volumes.all().flatMap(({ family, provisioning }) => (provisioning === 'thin' ? family : [])),
  );
  for (const [family, members] of count) if (members > 1 || thin.has(family)) await measure(family, parts);
}

async function thaw(record: VolumeRecord, { engine, nodeState, gracePeriods }: PoolParts): Promise<Finding> {
  if (nodeState.of(record.id).hurried) gracePeriods.relax();
  await engine.thaw(record);
  nodeState.set(record.id, { ...nodeState.of(record.id), frozen: false, hurried: false });
  return 'thawed';
}

async function settleSnapshot(record: SnapshotRecord, parts: ReconcileParts): Promise<Finding | undefined> {
  if (record.state === 'creating') {
    await undoSnapshot(record, parts);
    return 'unfinished';
  }
  if (record.state === 'deleting') {
    await parts.manager.snapshots.finishDeletion(record);
    return 'unfinished';
  }
  return await damage(record, parts);
}

async function damage(record: VolumeRecord | SnapshotRecord, { engine, log }: PoolParts): Promise<Finding | undefined> {
  if (engine.offers.volatile) return undefined;
  const bytes = await engine.sizeOf(record);
  if (bytes === record.bytes) return undefined;
  const found = bytes === undefined ? 'missing' : String(bytes);
  log.error(
    { event: 'volume.damaged', volume: record.id, found, expected: String(record.bytes) },
    'bytes are missing or have another size',
  );
  return 'damaged';
}

async function settleVolume(record: VolumeRecord, parts: ReconcileParts): Promise<Finding | undefined> {
  if (record.state === 'creating') {
    await undoVolume(record, parts);
    return 'unfinished';
  }
  if (record.state === 'deleting') {
    await parts.manager.volumes.finishDeletion(record);
    return 'unfinished';
  }
  const growing = record.grownFrom !== undefined;
  if (growing) await finishGrowth(record, parts);
  else if ((await damage(record, parts)) !== undefined) return 'damaged';
  return (await settlePlacement(record, parts)) ?? (growing ? 'unfinished' : undefined);
}

/** An inline volume whose pod went while nobody served. */
async function removeOrphan(record: VolumeRecord, { manager }: ReconcileParts): Promise<Finding | undefined> {
  const folder = podFolderOf(record);
  if (folder === undefined || existsSync(folder)) return undefined;
  await manager.volumes.delete(record.id);
  return 'unfinished';
}

async function settlePlacement(
  record: VolumeRecord,
  { engine, nodeState }: ReconcileParts,
): Promise<Finding | undefined> {
  const { attached, places } = await engine.look(record);
  const state = nodeState.of(record.id);
  const published = state.published.filter(({ path }) => places.some((place) => place.path === path));
  // A raw block volume is staged while it is attached; a filesystem only while it is mounted.
  const staged = attached && (record.use.kind === 'block' || places.length > 0) ? state.staged : undefined;
  nodeState.set(record.id, staged === undefined ? { published } : { staged, published });
  if (!attached || places.length > 0 || staged !== undefined) return undefined;
  await engine.detach(record);
  return 'detached';
}
