/** The kernel's table of connections (ctnetlink), as far as Berth needs it: forgetting UDP flows that lead to what is gone. */
import { closeSync } from 'node:fs';
import { BerthError } from '../kit/errors.ts';
import { addressText } from './ipaddress.ts';
import type { Family } from './ipaddress.ts';
import { SystemCallError, check, libc, libcAsync } from './libc.ts';
import {
  flagRequestAck,
  flagRequestDump,
  frame,
  parseReplies,
  refusalOf,
  typeDone,
  typeError,
} from './rtnetlink/frames.ts';

/** A UDP flow as its first packet was (destination) and as its answers come (replySource: who really answers). */
export interface UdpFlow {
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
}

export interface Conntrack {
  /** Forgets the UDP flows of a family that `matches` picks; the next packet of each is looked at anew. */
  forgetUdp(family: Family, matches: (flow: UdpFlow) => boolean): Promise<void>;
}

// From the published kernel interface: linux/netfilter/nfnetlink_conntrack.h.
const netlinkFamily = 16;
const rawCloseOnExec = 3 | 0o2000000; // SOCK_RAW | SOCK_CLOEXEC
const netfilter = 12; // NETLINK_NETFILTER
const dontWait = 0x40; // MSG_DONTWAIT
const getConnections = (1 << 8) | 1;
const deleteConnection = (1 << 8) | 2;
const tupleOriginal = 1;
const tupleReply = 2;
const tupleAddresses = 1;
const tupleProtocol = 2;
const sourceAddress = { 4: 1, 6: 3 } as const;
const destinationAddress = { 4: 2, 6: 4 } as const;
const protocolNumber = 1;
const destinationPort = 3;
const udp = 17;
const nested = 0x8000;
const familyHeader = 4; // struct nfgenmsg
const mostDeletions = 64;

const socket = libc('int socket(int domain, int type, int protocol)');
const send = libcAsync('long send(int fd, const uint8_t *data, size_t length, int flags)');
const recv = libc('long recv(int fd, uint8_t *data, size_t length, int flags)');

type Attributes = ReadonlyMap<number, Buffer>;

function attributesOf(bytes: Buffer | undefined): Attributes {
  const found = new Map<number, Buffer>();
  for (let at = 0; bytes !== undefined && at + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < 4) break;
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function familyBytes(family: Family): Buffer {
  return Buffer.from([family === 4 ? 2 : 10, 0, 0, 0]);
}

/** The flow of an entry, with the tuple that names it; undefined when it is not UDP. */
function flowOf(payload: Buffer, family: Family): { readonly flow: UdpFlow; readonly tuple: Buffer } | undefined {
  const entry = attributesOf(payload.subarray(familyHeader));
  const tuple = entry.get(tupleOriginal);
  const original = attributesOf(tuple);
  const protocol = attributesOf(original.get(tupleProtocol));
  const port = protocol.get(destinationPort);
  if (tuple === undefined || port === undefined || protocol.get(protocolNumber)?.[0] !== udp) return undefined;
  const destination = addressText(attributesOf(original.get(tupleAddresses)).get(destinationAddress[family]));
  const reply = attributesOf(attributesOf(entry.get(tupleReply)).get(tupleAddresses));
  const replySource = addressText(reply.get(sourceAddress[family]));
  if (destination === undefined || replySource === undefined) return undefined;
  // The buffer is used again for the next datagram.
  return { flow: { destination, port: port.readUInt16BE(0), replySource }, tuple: Buffer.from(tuple) };
}

function deletion(family: Family, tuple: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(4 + tuple.length, 0);
  header.writeUInt16LE(tupleOriginal | nested, 2);
  return Buffer.concat([familyBytes(family), header, tuple]);
}

class Connection {
  readonly #fd = check(socket(netlinkFamily, rawCloseOnExec, netfilter), 'socket', 'for ctnetlink');
  readonly #buffer = Buffer.alloc(65_536);
  #sequence = 0;

  async tuples(family: Family, matches: (flow: UdpFlow) => boolean): Promise<readonly Buffer[]> {
    const sequence = ++this.#sequence;
    await this.#send(frame(getConnections, flagRequestDump, sequence, familyBytes(family)));
    const tuples: Buffer[] = [];
    for (;;)
      for (const reply of this.#receive()) {
        if (reply.sequence !== sequence) continue;
        if (reply.type === typeDone) return tuples;
        const refusal = reply.type === typeError ? refusalOf(reply) : undefined;
        if (refusal !== undefined)
          throw new BerthError('INTERNAL', `the kernel does not list its connections: ${refusal.code}`);
        const found = flowOf(reply.payload, family);
        if (found !== undefined && matches(found.flow)) tuples.push(found.tuple);
      }
  }

  async forget(family: Family, tuples: readonly Buffer[]): Promise<void> {
    const first = this.#sequence + 1;
    this.#sequence += tuples.length;
    await this.#send(
      Buffer.concat(
        tuples.map((tuple, at) => frame(deleteConnection, flagRequestAck, first + at, deletion(family, tuple))),
      ),
    );
    for (let answered = 0; answered < tuples.length;)
      for (const reply of this.#receive()) {
        if (reply.type !== typeError || reply.sequence < first) continue;
        answered++;
        const refusal = refusalOf(reply);
        // One that ended by itself meanwhile.
        if (refusal !== undefined && refusal.code !== 'ENOENT')
          throw new BerthError('INTERNAL', `the kernel does not forget a connection: ${refusal.code}`);
      }
  }

  close(): void {
    closeSync(this.#fd);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const { result, errno } = await send(this.#fd, bytes, bytes.length, 0);
    if (result < 0) throw new SystemCallError('send', errno, 'to ctnetlink');
  }

  #receive(): ReturnType<typeof parseReplies> {
    const length = check(recv(this.#fd, this.#buffer, this.#buffer.length, dontWait), 'recv', 'from ctnetlink');
    return parseReplies(this.#buffer.subarray(0, length));
  }
}

/** The connections of the namespace this thread is in. */
export const conntrack: Conntrack = {
  async forgetUdp(family, matches) {
    const connection = new Connection();
    try {
      const tuples = await connection.tuples(family, matches);
      for (let at = 0; at < tuples.length; at += mostDeletions)
        await connection.forget(family, tuples.slice(at, at + mostDeletions));
    } finally {
      connection.close();
    }
  },
};
