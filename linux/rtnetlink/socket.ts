/**
 * The kernel's rtnetlink: a netlink socket of our own through koffi.
 *
 * The socket of the npm package `netlink` is not used: it ends the process when its receive queue overflows, drops the
 * kernel's explanation of a refusal, sends on the main thread (which would then wait for the RTNL lock behind a 20 ms
 * removal), and carries one native module more. rtnetlink answers while sendto(2) runs, so a socket is a send on a worker
 * thread and a read of what is there.
 */
import { closeSync } from 'node:fs';
import { BerthError } from '../../kit/errors.ts';
import { SystemCallError, check, libc, libcAsync } from '../libc.ts';
import { inNamespace } from '../netns.ts';
import type { NetworkNamespace } from '../netns.ts';
import { decodeAddress, decodeForwarding, decodeLink, decodeNeighbour, decodeRoute, decodeShape } from './decode.ts';
import type { Family } from '../ipaddress.ts';
import { encode, encodeListing } from './encode.ts';
import { encodeLinkQuery } from './encodelink.ts';
import { bridgeFamily, familyNumber, messageType } from './message.ts';
import type { Message } from './message.ts';
import {
  flagDumpInterrupted,
  flagRequestAck,
  flagRequestDump,
  frame,
  parseReplies,
  refusalOf,
  typeDone,
  typeError,
} from './frames.ts';
import type { Reply } from './frames.ts';
import { RouteError, largestBatch } from './rtnetlink.ts';
import type { ForwardingState, RouteRequest } from './requests.ts';
import type {
  AddressState,
  LinkState,
  NeighbourState,
  RouteSocket,
  RouteState,
  Rtnetlink,
  ShapeState,
} from './rtnetlink.ts';

const socket = libc('int socket(int domain, int type, int protocol)');
const bind = libc('int bind(int fd, const uint8_t *address, uint32_t length)');
const setsockopt = libc('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)');
const send = libcAsync('long send(int fd, const uint8_t *data, size_t length, int flags)');
const recv = libc('long recv(int fd, uint8_t *data, size_t length, int flags)');

const netlinkFamily = 16;
const rawCloseOnExec = 3 | 0o2000000; // SOCK_RAW | SOCK_CLOEXEC
const netlinkLevel = 270; // SOL_NETLINK
const capAck = 10; // NETLINK_CAP_ACK: refusals do not echo the request
const extendedAck = 11; // NETLINK_EXT_ACK: refusals carry a sentence
const dontWait = 0x40; // MSG_DONTWAIT

class KernelRouteSocket implements RouteSocket {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(65_536);
  #sequence = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  apply(requests: readonly RouteRequest[]): Promise<void> {
    if (requests.length > largestBatch)
      throw new BerthError('INTERNAL', `${requests.length} rtnetlink requests in one batch, at most ${largestBatch}`);
    return this.#inTurn(async () => {
      if (requests.length > 0) await this.#batch(requests);
    });
  }

  links(): Promise<readonly LinkState[]> {
    return this.#list(messageType.getLink, messageType.newLink, undefined, decodeLink);
  }

  link(name: string): Promise<LinkState | undefined> {
    return this.#inTurn(async () => {
      const sequence = ++this.#sequence;
      await this.#send(frame(messageType.getLink, flagRequestAck, sequence, encodeLinkQuery(name)));
      let found: LinkState | undefined;
      for (;;)
        for (const reply of this.#receive()) {
          if (reply.sequence !== sequence) continue;
          if (reply.type === messageType.newLink) found = decodeLink(reply.payload);
          if (reply.type !== typeError) continue;
          const refusal = refusalOf(reply);
          if (refusal === undefined || refusal.code === 'ENODEV') return found;
          throw new RouteError(refusal.code, refusal.detail);
        }
    });
  }

  addresses(family: Family = 4): Promise<readonly AddressState[]> {
    return this.#list(messageType.getAddress, messageType.newAddress, family, decodeAddress);
  }

  routes(family: Family = 4): Promise<readonly RouteState[]> {
    return this.#list(messageType.getRoute, messageType.newRoute, family, decodeRoute);
  }

  neighbours(family: Family = 4): Promise<readonly NeighbourState[]> {
    return this.#list(messageType.getNeighbour, messageType.newNeighbour, family, decodeNeighbour);
  }

  forwardings(): Promise<readonly ForwardingState[]> {
    return this.#list(messageType.getNeighbour, messageType.newNeighbour, 'bridge', decodeForwarding);
  }

  shapes(): Promise<readonly ShapeState[]> {
    return this.#list(messageType.getQdisc, messageType.newQdisc, undefined, decodeShape);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A descriptor closed under a running send could be reused by then for something else.
    void this.#tail.then(() => {
      closeSync(this.#fd);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new BerthError('INTERNAL', 'the rtnetlink socket is closed');
    const mine = this.#tail.then(work);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const { result, errno } = await send(this.#fd, bytes, bytes.length, 0);
    if (result < 0) throw new SystemCallError('send', errno, 'to rtnetlink');
  }

  /** The next datagram. It is there already: the kernel answers within send, and continues a listing within recv. */
  #receive(): Reply[] {
    const length = check(recv(this.#fd, this.#buffer, this.#buffer.length, dontWait), 'recv', 'from rtnetlink');
    return parseReplies(this.#buffer.subarray(0, length));
  }

  async #batch(requests: readonly RouteRequest[]): Promise<void> {
    const messages: readonly Message[] = requests.map(encode);
    const first = this.#sequence + 1;
    this.#sequence += messages.length;
    await this.#send(
      Buffer.concat(messages.map((m, at) => frame(m.type, m.flags | flagRequestAck, first + at, m.payload))),
    );
    let failed: RouteError | undefined;
    for (let answered = 0; answered < messages.length;)
      for (const reply of this.#receive()) {
        const message = messages[reply.sequence - first];
        if (reply.type !== typeError || message === undefined) continue;
        answered++;
        const refusal = refusalOf(reply);
        if (refusal !== undefined && !message.tolerated.includes(refusal.code))
          failed ??= new RouteError(refusal.code, refusal.detail, requests[reply.sequence - first]);
      }
    if (failed !== undefined) throw failed;
  }

  #list<T>(
    ask: number,
    answer: number,
    family: Family | 'bridge' | undefined,
    decode: (payload: Buffer) => T | undefined,
  ): Promise<readonly T[]> {
    return this.#inTurn(async () => {
      // The kernel marks a listing during which something changed; it may then lack entries or repeat them.
      for (let attempt = 1; ; attempt++) {
        const { items, interrupted } = await this.#listOnce(ask, answer, family, decode);
        if (!interrupted) return items;
        if (attempt === 5)
          throw new BerthError('BUSY', 'the kernel could not list its network: it kept changing meanwhile');
      }
    });
  }

  async #listOnce<T>(
    ask: number,
    answer: number,
    family: Family | 'bridge' | undefined,
    decode: (payload: Buffer) => T | undefined,
  ): Promise<{ readonly items: T[]; readonly interrupted: boolean }> {
    const sequence = ++this.#sequence;
    await this.#send(frame(ask, flagRequestDump, sequence, encodeListing(ask, family ?? 4)));
    const items: T[] = [];
    let interrupted = false;
    for (;;)
      for (const reply of this.#receive()) {
        if (reply.sequence !== sequence) continue;
        if ((reply.flags & flagDumpInterrupted) !== 0) interrupted = true;
        if (reply.type === typeDone) return { items, interrupted };
        if (reply.type === typeError) {
          const refusal = refusalOf(reply);
          if (refusal !== undefined) throw new RouteError(refusal.code, refusal.detail);
        } else if (reply.type === answer) {
          // A kernel without a family answers with all that it has.
          if (family !== undefined && reply.payload[0] !== listedFamily(family)) continue;
          const item = decode(reply.payload);
          if (item !== undefined) items.push(item);
        }
      }
  }
}

function listedFamily(family: Family | 'bridge'): number {
  return family === 'bridge' ? bridgeFamily : familyNumber(family);
}

function openSocket(): number {
  const fd = check(socket(netlinkFamily, rawCloseOnExec, 0), 'socket', 'for rtnetlink');
  try {
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, netlinkFamily, true);
    check(bind(fd, address, address.length), 'bind', 'of rtnetlink');
    const on = new Uint8Array([1, 0, 0, 0]);
    for (const option of [capAck, extendedAck])
      check(setsockopt(fd, netlinkLevel, option, on, on.length), 'setsockopt', 'of rtnetlink');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The kernel's rtnetlink. A socket inside a pod's namespace is opened there and then used from here. */
export const rtnetlink: Rtnetlink = {
  open: (namespace?: NetworkNamespace): RouteSocket =>
    new KernelRouteSocket(namespace === undefined ? openSocket() : inNamespace(namespace, openSocket)),
};
