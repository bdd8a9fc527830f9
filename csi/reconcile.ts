/**
 * Start-up: brings records, images, loop devices and mounts back into agreement after any crash or reboot. Idempotent;
 * unfinished work is undone or finished, what nobody uses is detached, what is not ours is reported and kept.
 */
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Engine } from './engine.ts';
import type { Ledger } from './ledger.ts';
import type { NodeState } from './nodestate.ts';
import type { RecordStore } from './store.ts';
import type { VolumeRecord } from './volume.ts';
import type { Volumes } from './volumes.ts';

export interface ReconcileParts {
  readonly store: RecordStore;
  readonly ledger: Ledger;
  readonly engine: Engine;
  readonly nodeState: NodeState;
  readonly volumes: Volumes;
  readonly log: Logger;
}

/** What was found, by kind; all zero after a clean stop. */
export interface Findings {
  /** Creations undone and deletions finished. */
  readonly unfinished: number;
  /** Loop devices nobody used. */
  readonly detached: number;
  /** Volumes whose image is missing or has another size. */
  readonly damaged: number;
  /** Records that cannot be read. */
  readonly unreadable: number;
  /** Files in the pool that belong to no volume. */
  readonly strangers: number;
  /** Volumes that could not be brought in order; tried again at the next call or start. */
  readonly failed: number;
}

export async function reconcile(parts: ReconcileParts): Promise<Findings> {
  const { store, ledger, engine, nodeState, volumes, log } = parts;
  const findings = { unfinished: 0, detached: 0, damaged: 0, unreadable: 0, strangers: 0, failed: 0 };
  const { volumes: records, unreadable } = await store.load();
  await nodeState.load();
  for (const { file, reason } of unreadable) {
    findings.unreadable++;
    log.error({ event: 'pool.record_unreadable', file, reason }, 'record cannot be read; it and its image are kept');
  }
  for (const record of records) {
    volumes.enter(record);
    ledger.enter(record.id, record.bytes);
  }
  for (const { file, bytes } of await engine.strangers(records)) {
    findings.strangers++;
    ledger.enter(`file ${file}`, bytes);
    log.warn(
      { event: 'pool.stranger', file, bytes: String(bytes) },
      'file in the pool belongs to no volume; it is kept and counted',
    );
  }
  for (const record of records) {
    try {
      const found = await settle(record, parts);
      if (found !== undefined) findings[found]++;
    } catch (error) {
      findings.failed++;
      log.error(
        { event: 'volume.unsettled', volume: record.id, reason: messageOf(error) },
        'volume could not be brought in order',
      );
    }
  }
  const known = new Set(volumes.all().map(({ id }) => id));
  for (const id of nodeState.ids()) if (!known.has(id)) await nodeState.set(id, { published: [] });
  await engine.emptyTrash(() => true);
  log.info({ event: 'pool.in_order', volumes: known.size, ...findings }, 'pool is in order');
  return findings;
}

async function settle(
  record: VolumeRecord,
  parts: ReconcileParts,
): Promise<'unfinished' | 'damaged' | 'detached' | undefined> {
  const { engine, nodeState, volumes, log } = parts;
  if (record.state === 'creating') {
    await volumes.undo(record);
    return 'unfinished';
  }
  if (record.state === 'deleting') {
    await volumes.finishDeletion(record);
    return 'unfinished';
  }
  const bytes = await engine.sizeOf(record);
  if (bytes !== record.bytes) {
    const size = bytes === undefined ? 'missing' : String(bytes);
    log.error(
      { event: 'volume.damaged', volume: record.id, image: size, expected: String(record.bytes) },
      'image is missing or has another size',
    );
    return 'damaged';
  }
  const { attached, places } = await engine.look(record);
  const state = nodeState.of(record.id);
  const published = state.published.filter(({ path }) => places.some((place) => place.path === path));
  // A raw block volume is staged while it is attached; a filesystem only while it is mounted.
  const staged = attached && (record.use.kind === 'block' || places.length > 0) ? state.staged : undefined;
  await nodeState.set(record.id, staged === undefined ? { published } : { staged, published });
  if (!attached || places.length > 0 || staged !== undefined) return undefined;
  await engine.detach(record);
  return 'detached';
}
