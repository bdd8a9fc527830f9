/** The attachments of this boot: a map in memory, and one file each on tmpfs, replaced atomically (design decision 7). */
import { rmSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, temporaryPrefix } from '../kit/durablefile.ts';
import { messageOf } from '../kit/errors.ts';
import { keyText, recordName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import type { AttachmentKey } from './request.ts';

/** A file that is not a record of ours, or not one that this agent understands. */
export interface Unreadable {
  readonly name: string;
  readonly file: string;
  readonly reason: string;
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
        const attachment = decodeRecord(await readFile(file));
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
    replaceFile(join(this.#folder, recordName(attachment)), encodeRecord(attachment));
    this.#attachments.set(keyText(attachment), attachment);
  }

  remove(key: AttachmentKey): void {
    rmSync(join(this.#folder, recordName(key)), { force: true });
    this.#attachments.delete(keyText(key));
  }
}
