/** Netlink framing (netlink(7)): headers, the messages of a datagram, and what an error message says. */
import { nameOfErrno } from '../libc.ts';

const headerLength = 16;
export const flagRequestAck = 0x1 | 0x4;
export const flagRequestDump = 0x1 | 0x300;
export const flagDumpInterrupted = 0x10;
const flagAckTlvs = 0x200;
export const typeError = 2;
export const typeDone = 3;
const ackMessageAttribute = 1; // NLMSGERR_ATTR_MSG

/** One message of the kernel. */
export interface Reply {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** A message with its header, padded to the next. */
export function frame(type: number, flags: number, sequence: number, payload: Uint8Array): Buffer {
  const length = headerLength + payload.length;
  const bytes = Buffer.alloc((length + 3) & ~3);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.set(payload, headerLength);
  return bytes;
}

/** The messages of one datagram. */
export function parseReplies(bytes: Buffer): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at + headerLength <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < headerLength || at + length > bytes.length) break;
    replies.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      payload: bytes.subarray(at + headerLength, at + length),
    });
    at += (length + 3) & ~3;
  }
  return replies;
}

/** The errno name and the sentence of an NLMSG_ERROR, or undefined when it is an acknowledgement. */
export function refusalOf(reply: Reply): { readonly code: string; readonly detail: string } | undefined {
  const errno = -reply.payload.readInt32LE(0);
  if (errno === 0) return undefined;
  let detail = '';
  // With NETLINK_CAP_ACK the header of the request follows the number, and then the attributes.
  if ((reply.flags & flagAckTlvs) !== 0)
    for (let at = 4 + headerLength; at + 4 <= reply.payload.length;) {
      const length = reply.payload.readUInt16LE(at);
      if (length < 4) break;
      if ((reply.payload.readUInt16LE(at + 2) & 0x3fff) === ackMessageAttribute)
        detail = reply.payload.subarray(at + 4, at + length - 1).toString('utf8');
      at += (length + 3) & ~3;
    }
  return { code: nameOfErrno(errno), detail };
}
