/** IP addresses of both families as text and as the bytes the kernel has. Text is in the one form of RFC 5952. */
import { isIP } from 'node:net';
import { BerthError } from '../kit/errors.ts';

export type Family = 4 | 6;

/** Four or sixteen bytes, or undefined when the text is no address. One with a zone is none: the kernel takes a link apart. */
export function parseAddressBytes(text: string): Buffer | undefined {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 4) return Buffer.from(text.split('.').map(Number));
  if (version !== 6) return undefined;
  // The last four bytes may be written in dotted decimal.
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain =
    dotted === null
      ? text
      : `${dotted[1] ?? ''}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}`;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** The bytes of what is known to be an address. Throws INVALID_ARGUMENT when it is not. */
export function addressBytes(text: string): Buffer {
  const bytes = parseAddressBytes(text);
  if (bytes === undefined) throw new BerthError('INVALID_ARGUMENT', `"${text}" is not an IP address`);
  return bytes;
}

/** The text of four or sixteen bytes; undefined for any other number. */
export function addressText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes?.length === 4) return bytes.join('.');
  if (bytes?.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  // The longest run of zeros, the first of equals, and never a single one (RFC 5952, section 4.2).
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === '0') length++;
    if (length > best.length) best = { at, length };
  }
  if (best.at < 0) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`;
}

export function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4;
}
