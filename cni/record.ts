/** The record of an attachment as it stands in a file of its own: JSON of one line that ends with a checksum of all before it. */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { attachmentSchema } from './attachment.ts';
import type { Attachment } from './attachment.ts';

/** The version that this agent writes. */
const newestFormat = 4;
/**
 * Those before had no checksum. 1: IPv4 alone. 2: IPv6 addresses, ports. 3: limits. They are read because the pods of an agent
 * of then live on; a wrong digit in them cannot be noticed.
 */
const olderFormats: readonly number[] = [1, 2, 3];

const withFormat = z.looseObject({ format: z.int() });

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

export function encodeRecord(attachment: Attachment): string {
  const content = JSON.stringify({ format: newestFormat, ...attachment }).slice(0, -1);
  return `${content},"checksum":"${checksumOf(content)}"}`;
}

function read(text: string): { readonly format: number; readonly content: unknown } {
  const { format, ...content } = withFormat.parse(JSON.parse(text));
  return { format, content };
}

/**
 * Throws for what is no record, for one of which a byte is not as it was written (CRC-32 notices every change of up to four
 * bytes in a row), and for one of an agent newer than this, which may mean what this one cannot know.
 */
export function decodeRecord(bytes: Uint8Array): Attachment {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const { format, content } = read(text);
  if (olderFormats.includes(format)) return attachmentSchema.parse(content);
  if (format > newestFormat)
    throw new Error(`it has format ${format} of a newer berth, this one knows those up to ${newestFormat}`);
  const [, checked = '', checksum] = /^(.*),"checksum":"([0-9a-f]{8})"\}$/.exec(text) ?? [];
  if (format !== newestFormat || checksum !== checksumOf(checked))
    throw new Error('its checksum is wrong: something has changed it since it was written');
  return attachmentSchema.parse(read(`${checked}}`).content);
}
