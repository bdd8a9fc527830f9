/** The file of what is remembered of serial numbers. It must survive the boot, and what is in it is believed of nobody. */
import { z } from 'zod';
import { writeFileAtomic } from '../../kit/durablefile.ts';
import { errnoOf, messageOf } from '../../kit/errors.ts';
import { readRegularFile } from '../../kit/regularfile.ts';
import type { IdentityMemory, MemoryRecord } from './memory.ts';
import { unitIdPattern } from './unitid.ts';

const version = 1;
const largestFile = 64 * 1024 * 1024;
const mostResources = 1_024;
const mostRecords = 32_768;

const unitIdText = z.string().max(56).regex(unitIdPattern);
const record = z.tuple([unitIdText, unitIdText, z.boolean()]);
const fileSchema = z.strictObject({
  version: z.literal(version),
  resources: z.array(z.tuple([z.string().max(320), z.array(record).max(mostRecords)])).max(mostResources),
});

export interface LoadedMemory {
  readonly memory: IdentityMemory;
  /** What was lost, as a sentence; undefined when the file was read, or there was none yet. */
  readonly warning: string | undefined;
}

/** Reads the file. One that is missing, damaged or of a newer version is as none: never a reason not to start. */
export async function loadIdentityMemory(path: string): Promise<LoadedMemory> {
  const none = (why: string): LoadedMemory => ({
    memory: new Map(),
    warning: `${path} ${why}: of devices with the same serial number another one may get its ID now`,
  });
  let content: unknown;
  try {
    content = JSON.parse(await readRegularFile(path, largestFile));
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return { memory: new Map(), warning: undefined };
    return none(`cannot be read (${messageOf(thrown)})`);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    const newer = z.object({ version: z.number().gt(version) }).safeParse(content);
    return none(newer.success ? `is of version ${newer.data.version}, this agent reads ${version}` : 'is damaged');
  }
  const memory = parsed.data.resources.map(([name, records]): [string, readonly MemoryRecord[]] => [
    name,
    records.map(([serial, place, holds]) => ({ serial, place, holds })),
  ]);
  return { memory: new Map(memory), warning: undefined };
}

/** Writes the file, safe from a power loss. Of more resources than a node can have, those that were new last are kept. */
export async function saveIdentityMemory(path: string, memory: IdentityMemory): Promise<void> {
  const resources = [...memory]
    .slice(-mostResources)
    .map(([name, records]) => [
      name,
      records.slice(-mostRecords).map(({ serial, place, holds }) => [serial, place, holds]),
    ]);
  await writeFileAtomic(path, JSON.stringify({ version, resources }), { sync: true });
}
