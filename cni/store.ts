/** The attachments of this boot: a map in memory, and one file each on tmpfs, replaced atomically (design decision 7). */
import { unlinkSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, temporaryPrefix } from '../kit/durablefile.ts';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
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

  /** Writes the record, then remembers it: what is in memory has been written. Throws IO_FAILED. */
  put(attachment: Attachment): void {
    const file = join(this.#folder, recordName(attachment));
    try {
      // No fsync: a reboot takes the file, the link and the pod together.
      replaceFile(file, encodeRecord(attachment));
    } catch (error) {
      throw refused('write', file, attachment, error);
    }
    this.#attachments.set(keyText(attachment), attachment);
  }

  /** Throws IO_FAILED; a record that is not there is no error. */
  remove(key: AttachmentKey): void {
    const file = join(this.#folder, recordName(key));
    try {
      unlinkSync(file);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw refused('remove', file, key, error);
    }
    this.#attachments.delete(keyText(key));
  }
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'its file system is full: remove what fills it (df, df -i)',
  EDQUOT: 'its file system is full: remove what fills it (quota)',
  EROFS: 'its file system is read-only: find out why (dmesg) and mount it read-write again',
};

function refused(what: string, file: string, key: AttachmentKey, error: unknown): BerthError {
  const why = remedies[errnoOf(error) ?? ''] ?? messageOf(error);
  return new BerthError('IO_FAILED', `cannot ${what} ${file}, the record of ${keyText(key)}: ${why}`, { cause: error });
}
