/** Records of a pool on disk: one JSON file each with a format number and a checksum, replaced atomically. */
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeDurably, temporaryPrefix, writeFileAtomic } from '../kit/durablefile.ts';
import { errnoOf, messageOf } from '../kit/errors.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import { kernelSubvolumes } from '../linux/btrfs.ts';
import { ownerOf, poolOf } from './objectid.ts';
import type { ObjectKind } from './objectid.ts';
import type { GroupRecord, SnapshotRecord } from './snapshot.ts';
import { fsTypes } from './volume.ts';
import type { VolumeRecord } from './volume.ts';

const idOf = (kind: ObjectKind): z.ZodString => z.string().refine((id) => poolOf(kind, id) !== undefined);
const size = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);
const state = z.enum(['creating', 'ready', 'deleting']);
const texts = z.record(z.string(), z.string());

const use = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('block') }),
  z.strictObject({ kind: z.literal('filesystem'), type: z.enum(fsTypes), uuid: z.guid() }),
]);

const volume = z.strictObject({
  id: idOf('volume'),
  name: z.string(),
  state,
  bytes: size,
  use,
  provisioning: z.enum(['thick', 'thin']),
  parameters: texts,
  mutable: texts,
  source: z.strictObject({ kind: z.enum(['snapshot', 'volume']), id: z.string() }).optional(),
  family: idOf('volume'),
  grownFrom: size.optional(),
  claim: z.strictObject({ namespace: z.string(), name: z.string() }).optional(),
  ephemeral: z.string().optional(),
  createdAt: z.string(),
});

/** Volumes as the first format had them: thick, of themselves, and never changed. */
const firstVolume = z
  .strictObject({
    id: idOf('volume'),
    name: z.string(),
    state,
    bytes: size,
    use,
    parameters: texts,
    createdAt: z.string(),
  })
  .transform((record) => ({ ...record, provisioning: 'thick' as const, mutable: {}, family: record.id }));

const snapshot = z.strictObject({
  id: idOf('snapshot'),
  name: z.string(),
  state,
  bytes: size,
  use,
  sourceId: z.string(),
  family: idOf('volume'),
  reserved: z.boolean(),
  groupId: idOf('group').optional(),
  createdAt: z.string(),
});

const group = z.strictObject({
  id: idOf('group'),
  name: z.string(),
  state,
  sourceIds: z.array(z.string()).readonly(),
  snapshotIds: z.array(idOf('snapshot')).readonly(),
  createdAt: z.string(),
});

const envelope = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal(1), checksum: z.string(), volume: z.unknown() }),
  z.strictObject({
    format: z.literal(2),
    kind: z.enum(['volume', 'snapshot', 'group']),
    checksum: z.string(),
    record: z.unknown(),
  }),
]);

/** A record of any kind; its ID says which. */
export type AnyRecord =
  | { readonly kind: 'volume'; readonly record: VolumeRecord }
  | { readonly kind: 'snapshot'; readonly record: SnapshotRecord }
  | { readonly kind: 'group'; readonly record: GroupRecord };

/** Parameters have at most 4 KiB, a group some thousand members: what is larger is no record, and would only fill the memory. */
export const largestRecord = 1024 * 1024;

/** A short checksum of plain JSON. */
export function checksumOf(record: unknown): string {
  return createHash('sha256').update(JSON.stringify(record)).digest('hex').slice(0, 16);
}

/** The text of a record's file. */
export function formatRecord({ kind, record }: AnyRecord): string {
  // Through text, so that the checksum is of what will be read: without undefined fields.
  const plain: unknown = JSON.parse(
    JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  );
  return `${JSON.stringify({ format: 2, kind, checksum: checksumOf(plain), record: plain }, undefined, 1)}\n`;
}

/** The record in a file's text; throws with the reason when it is cut, changed, or of a later format. */
export function parseRecord(text: string): AnyRecord {
  const read = envelope.parse(JSON.parse(text));
  const content = read.format === 1 ? read.volume : read.record;
  if (checksumOf(content) !== read.checksum) throw new Error('the checksum does not match');
  if (read.format === 1) return { kind: 'volume', record: firstVolume.parse(content) };
  switch (read.kind) {
    case 'volume':
      return { kind: 'volume', record: volume.parse(content) };
    case 'snapshot':
      return { kind: 'snapshot', record: snapshot.parse(content) };
    case 'group':
      return { kind: 'group', record: group.parse(content) };
  }
}

export interface LoadedStore {
  readonly volumes: readonly VolumeRecord[];
  readonly snapshots: readonly SnapshotRecord[];
  readonly groups: readonly GroupRecord[];
  /** Files that are no readable record, with the reason: kept as they are. */
  readonly unreadable: readonly { readonly file: string; readonly reason: string }[];
}

export interface RecordStore {
  load(): Promise<LoadedStore>;
  /** Makes the record durable, once `after` is done if there is one: it is prepared meanwhile. Rejects when that does. */
  write(record: AnyRecord, after?: Promise<unknown>): Promise<void>;
  /** Forgets the record durably; nothing happens when there is none. */
  remove(id: string): Promise<void>;
}

/** Removes what an interrupted write left in a folder of records. A folder called so is nobody's write. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (isUnfinished(entry)) await rm(join(folder, entry.name), { force: true });
}

/** Whether an entry of a folder of records is what an interrupted write left. */
export function isUnfinished(entry: Dirent): boolean {
  return entry.isFile() && entry.name.startsWith(temporaryPrefix);
}

/** Throws unless the ID is one of that pool: what another pool's record says is not for this one to do. */
function assertOfPool({ id }: { readonly id: string }, poolId: string): void {
  const owner = ownerOf(id);
  if (owner !== poolId)
    throw new Error(`it is of pool ${owner ?? ''}, this is ${poolId}; move it back to where it came from`);
}

/** Whether a file that could not be opened is there all the same: as a link that leads nowhere. */
export async function isLinkToNowhere(path: string, error: unknown): Promise<boolean> {
  if (errnoOf(error) !== 'ENOENT') return false;
  return (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;
}

/** The records of a pool in a folder. Changes nothing, and may be used beside an agent that does. */
export async function readRecords(folder: string, poolId: string): Promise<LoadedStore> {
  const loaded: AnyRecord[] = [];
  const unreadable: { file: string; reason: string }[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (isUnfinished(entry)) continue;
    const file = entry.name;
    try {
      const any = parseRecord(await readRegularFile(join(folder, file), largestRecord));
      if (file !== `${any.record.id}.json`) throw new Error(`it is the record of ${any.record.id}`);
      assertOfPool(any.record, poolId);
      loaded.push(any);
    } catch (error) {
      if (await isLinkToNowhere(join(folder, file), error)) {
        unreadable.push({ file, reason: 'it is a link to what does not exist' });
        continue;
      }
      // Gone since the folder was listed: the object was deleted.
      if (errnoOf(error) === 'ENOENT') continue;
      const strange = error instanceof z.ZodError || error instanceof SyntaxError;
      unreadable.push({ file, reason: strange ? 'it is cut, or no record' : messageOf(error) });
    }
  }
  return {
    volumes: loaded.flatMap(({ kind, record }) => (kind === 'volume' ? record : [])),
    snapshots: loaded.flatMap(({ kind, record }) => (kind === 'snapshot' ? record : [])),
    groups: loaded.flatMap(({ kind, record }) => (kind === 'group' ? record : [])),
    unreadable,
  };
}

/** The store of a pool in an existing folder. */
export function recordStore(folder: string, poolId: string): RecordStore {
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  return {
    async load() {
      await removeUnfinished(folder);
      return await readRecords(folder, poolId);
    },
    async write(any, after) {
      const write = (): Promise<void> =>
        writeFileAtomic(fileOf(any.record.id), formatRecord(any), { sync: true, after });
      try {
        await write();
      } catch (error) {
        if (errnoOf(error) !== 'ENOSPC') throw error;
        // What a nearly full btrfs has freed is room for names only after its next transaction. Elsewhere there is none to end.
        await kernelSubvolumes()
          .commit(folder)
          .catch(() => undefined);
        await write();
      }
    },
    remove: (id) => removeDurably(fileOf(id)),
  };
}
