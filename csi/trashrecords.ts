/**
 * Records of what lies in a pool's trash, one file each beside the bytes: `trash/<id>.json` says when it was deleted, what its
 * removal frees, and what its own record said.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeDurably, writeFileAtomic } from '../kit/durablefile.ts';
import { errnoOf, messageOf } from '../kit/errors.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import type { Stored } from './engine.ts';
import { poolOf } from './objectid.ts';
import {
  checksumOf,
  formatRecord,
  isLinkToNowhere,
  isUnfinished,
  largestRecord,
  parseRecord,
  removeUnfinished,
} from './store.ts';

/** Something that was deleted and whose bytes are still there. */
export interface Trashed {
  readonly object: Stored;
  /** Milliseconds since 1970. */
  readonly deletedAt: number;
  /** Bytes that its removal gives back to the pool, when it was deleted; undefined when nobody could tell. */
  readonly frees?: bigint | undefined;
}

export interface TrashContent {
  /** Oldest first. */
  readonly entries: readonly Trashed[];
  /** Records that cannot be read, with the reason: they and the bytes of that ID are kept. */
  readonly unreadable: readonly { readonly file: string; readonly reason: string }[];
  /** What belongs to nothing: kept. */
  readonly strangers: readonly { readonly file: string; readonly bytes: bigint }[];
}

/** Names that hold the bytes of an ID: a file of an image, a folder of a subvolume. */
const bytesName = /^(.*?)(\.img)?$/;
/** What the engine `subvolume` notes of those that the kernel has not freed yet. */
const noteName = /^\.dropped-\d+$/;
const suffix = '.json';

const envelope = z.strictObject({
  format: z.literal(1),
  checksum: z.string(),
  trashed: z.strictObject({
    deletedAt: z.iso.datetime(),
    frees: z
      .string()
      .regex(/^\d{1,19}$/)
      .transform(BigInt)
      .optional(),
    record: z.unknown(),
  }),
});

/** Whether it is the ID of something that can lie in the trash of that pool. */
export function isTrashable(id: string, poolId: string): boolean {
  return poolOf('volume', id) === poolId || poolOf('snapshot', id) === poolId;
}

function formatTrashed({ object, deletedAt, frees }: Trashed): string {
  const any =
    'sourceId' in object
      ? ({ kind: 'snapshot', record: object } as const)
      : ({ kind: 'volume', record: object } as const);
  const record: unknown = JSON.parse(formatRecord(any));
  const at = new Date(deletedAt).toISOString();
  const trashed = { deletedAt: at, ...(frees === undefined ? {} : { frees: frees.toString() }), record };
  return `${JSON.stringify({ format: 1, checksum: checksumOf(trashed), trashed }, undefined, 1)}\n`;
}

function parseTrashed(text: string): Trashed {
  const json: unknown = JSON.parse(text);
  const { checksum, trashed } = envelope.parse(json);
  if (checksumOf((json as { readonly trashed: unknown }).trashed) !== checksum)
    throw new Error('the checksum does not match');
  const any = parseRecord(JSON.stringify(trashed.record));
  if (any.kind === 'group') throw new Error('it is the record of a group');
  return { object: any.record, deletedAt: Date.parse(trashed.deletedAt), frees: trashed.frees };
}

async function readTrashed(folder: string, file: string): Promise<Trashed> {
  const trashed = parseTrashed(await readRegularFile(join(folder, file), largestRecord));
  if (file !== `${trashed.object.id}${suffix}`) throw new Error(`it is the record of ${trashed.object.id}`);
  return trashed;
}

/** In words of our own where the parser's would repeat what stands in the file. */
function reasonOf(error: unknown): string {
  return error instanceof z.ZodError || error instanceof SyntaxError ? 'it is cut, or no record' : messageOf(error);
}

/** What the folder of a pool holds. Changes nothing, and may be used beside an agent that does. */
export async function readTrash(folder: string, poolId: string): Promise<TrashContent> {
  const entries: Trashed[] = [];
  const unreadable: { file: string; reason: string }[] = [];
  const strangers: { file: string; bytes: bigint }[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = entry.name;
    if (isUnfinished(entry) || noteName.test(file)) continue;
    const isRecord = file.endsWith(suffix) && isTrashable(file.slice(0, -suffix.length), poolId);
    if (!isRecord && isTrashable(bytesName.exec(file)?.[1] ?? '', poolId)) continue;
    try {
      if (isRecord) entries.push(await readTrashed(folder, file));
      else strangers.push({ file, bytes: (await lstat(join(folder, file), { bigint: true })).size });
    } catch (error) {
      if (await isLinkToNowhere(join(folder, file), error))
        unreadable.push({ file, reason: 'it is a link to what does not exist' });
      // Gone since the folder was listed: no trash any more.
      else if (errnoOf(error) !== 'ENOENT') unreadable.push({ file, reason: reasonOf(error) });
    }
  }
  entries.sort((a, b) => a.deletedAt - b.deletedAt || (a.object.id < b.object.id ? -1 : 1));
  return { entries, unreadable, strangers };
}

export interface TrashRecords {
  /** Reads the folder, and removes what an interrupted write left. */
  load(): Promise<TrashContent>;
  /** Makes the record durable. */
  write(trashed: Trashed): Promise<void>;
  /** Forgets the record durably; nothing happens when there is none. */
  remove(id: string): Promise<void>;
}

/** The records of a pool in an existing folder. */
export function trashRecords(folder: string, poolId: string): TrashRecords {
  // IDs were checked by pattern, so they are file names.
  const fileOf = (id: string): string => join(folder, `${id}${suffix}`);
  return {
    async load() {
      await removeUnfinished(folder);
      return await readTrash(folder, poolId);
    },
    write: (trashed) => writeFileAtomic(fileOf(trashed.object.id), formatTrashed(trashed), { sync: true }),
    remove: (id) => removeDurably(fileOf(id)),
  };
}
