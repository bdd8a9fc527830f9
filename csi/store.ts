/** Records of a pool on disk: one JSON file each with a format number and a checksum, replaced atomically. */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeDurably, temporaryPrefix, writeFileAtomic } from '../kit/durablefile.ts';
import { errnoOf, messageOf } from '../kit/errors.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import { poolOf } from './objectid.ts';
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
  /** Makes the record durable. */
  write(record: AnyRecord): Promise<void>;
  /** Forgets the record durably; nothing happens when there is none. */
  remove(id: string): Promise<void>;
}

/** The records in a folder. Changes nothing, and may be used beside an agent that does. */
export async function readRecords(folder: string): Promise<LoadedStore> {
  const loaded: AnyRecord[] = [];
  const unreadable: { file: string; reason: string }[] = [];
  for (const file of await readdir(folder)) {
    if (file.startsWith(temporaryPrefix)) continue;
    try {
      const any = parseRecord(await readRegularFile(join(folder, file), largestRecord));
      if (file !== `${any.record.id}.json`) throw new Error(`it is the record of ${any.record.id}`);
      loaded.push(any);
    } catch (error) {
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

/** The store in an existing folder. */
export function recordStore(folder: string): RecordStore {
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  return {
    async load() {
      for (const file of await readdir(folder))
        if (file.startsWith(temporaryPrefix)) await rm(join(folder, file), { force: true });
      return await readRecords(folder);
    },
    write: (any) => writeFileAtomic(fileOf(any.record.id), formatRecord(any), { sync: true }),
    remove: (id) => removeDurably(fileOf(id)),
  };
}
