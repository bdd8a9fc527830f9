/** The records of a pool on disk: one JSON file per volume with a format number and a checksum, replaced atomically. */
import { createHash } from 'node:crypto';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { syncFolder, temporaryPrefix, writeFileAtomic } from '../kit/durablefile.ts';
import { messageOf } from '../kit/errors.ts';
import { poolOf } from './volumeid.ts';
import type { VolumeRecord } from './volume.ts';

const use = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('block') }),
  z.strictObject({ kind: z.literal('filesystem'), type: z.enum(['xfs', 'ext4']), uuid: z.guid() }),
]);

const body = z.strictObject({
  id: z.string().refine((id) => poolOf(id) !== undefined),
  name: z.string(),
  state: z.enum(['creating', 'ready', 'deleting']),
  bytes: z
    .string()
    .regex(/^\d{1,19}$/)
    .transform(BigInt),
  use,
  parameters: z.record(z.string(), z.string()),
  createdAt: z.string(),
});

const envelope = z.strictObject({ format: z.literal(1), checksum: z.string(), volume: z.unknown() });

function checksumOf(volume: unknown): string {
  return createHash('sha256').update(JSON.stringify(volume)).digest('hex').slice(0, 16);
}

/** The text of a record's file. */
export function formatRecord(record: VolumeRecord): string {
  const volume = { ...record, bytes: record.bytes.toString() };
  return `${JSON.stringify({ format: 1, checksum: checksumOf(volume), volume }, undefined, 1)}\n`;
}

/** The record in a file's text; throws with the reason when it is cut, changed, or of a later format. */
export function parseRecord(text: string): VolumeRecord {
  const { checksum, volume } = envelope.parse(JSON.parse(text));
  if (checksumOf(volume) !== checksum) throw new Error('the checksum does not match');
  return body.parse(volume);
}

export interface LoadedStore {
  readonly records: readonly VolumeRecord[];
  /** Files that are no readable record, with the reason: kept as they are. */
  readonly unreadable: readonly { readonly file: string; readonly reason: string }[];
}

export interface VolumeStore {
  load(): Promise<LoadedStore>;
  /** Makes the record durable. */
  write(record: VolumeRecord): Promise<void>;
  /** Forgets the record durably; nothing happens when there is none. */
  remove(id: string): Promise<void>;
}

/** The store in an existing folder. */
export function volumeStore(folder: string): VolumeStore {
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  return {
    async load() {
      const records: VolumeRecord[] = [];
      const unreadable: { file: string; reason: string }[] = [];
      for (const file of await readdir(folder)) {
        const path = join(folder, file);
        if (file.startsWith(temporaryPrefix)) {
          await rm(path, { force: true });
          continue;
        }
        try {
          const record = parseRecord(await readFile(path, 'utf8'));
          if (file !== `${record.id}.json`) throw new Error(`it is the record of ${record.id}`);
          records.push(record);
        } catch (error) {
          unreadable.push({ file, reason: error instanceof z.ZodError ? 'not a record' : messageOf(error) });
        }
      }
      return { records, unreadable };
    },
    write: (record) => writeFileAtomic(fileOf(record.id), formatRecord(record), { sync: true }),
    async remove(id) {
      await rm(fileOf(id), { force: true });
      await syncFolder(folder);
    },
  };
}
