/** The attachments of this boot: a map in memory, and one file each on tmpfs, replaced atomically (design decision 7). */
import { rmSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile, temporaryPrefix } from '../kit/durablefile.ts';
import { messageOf } from '../kit/errors.ts';
import { attachmentSchema, keyText, newestFormat, recordName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import type { AttachmentKey } from './request.ts';

/** A file that is not a record of ours, or not one that this agent understands. */
export interface Unreadable {
  readonly name: string;
  readonly file: string;
  readonly reason: string;
}

const formatOnly = z.object({ format: z.int() });

/** Throws for what is no record, and for one of an agent newer than this, which may mean what this one cannot know. */
function decode(text: string): Attachment {
  const content: unknown = JSON.parse(text);
  const { data } = formatOnly.safeParse(content);
  if (data !== undefined && data.format > newestFormat)
    throw new Error(`it has format ${data.format} of a newer berth, this one knows those up to ${newestFormat}`);
  return attachmentSchema.parse(content);
}

export class AttachmentStore {
  readonly #folder: string;
  readonly #attachments = new Map<string, Attachment>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads the folder anew. Remains of interrupted writes are removed; other files that are no records are returned. */
  async load(): Promise<readonly Unreadable[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    this.#attachments.clear();
    const unreadable: Unreadable[] = [];
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      if (name.startsWith(temporaryPrefix)) {
        await rm(file, { force: true });
        continue;
      }
      try {
        const attachment = decode(await readFile(file, 'utf8'));
        if (recordName(attachment) !== name) throw new Error('the name of the file is not that of its content');
        this.#attachments.set(keyText(attachment), attachment);
      } catch (error) {
        unreadable.push({ name, file, reason: messageOf(error) });
      }
    }
    return unreadable;
  }

  get(key: AttachmentKey): Attachment | undefined {
    return this.#attachments.get(keyText(key));
  }

  all(): readonly Attachment[] {
    return [...this.#attachments.values()];
  }

  /** Writes the record, then remembers it: what is in memory has been written. */
  put(attachment: Attachment): void {
    // No fsync: a reboot takes the file, the link and the pod together.
    replaceFile(join(this.#folder, recordName(attachment)), JSON.stringify(attachment));
    this.#attachments.set(keyText(attachment), attachment);
  }

  remove(key: AttachmentKey): void {
    rmSync(join(this.#folder, recordName(key)), { force: true });
    this.#attachments.delete(keyText(key));
  }
}
