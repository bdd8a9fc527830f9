/**
 * The generation of a namespace's whole ruleset: a number that grows with every transaction of anybody, so that "has
 * somebody changed something?" costs one small message. nftables' own events would not be cheaper: they carry every rule of
 * everybody's transactions, and a full receive queue loses some of them, so that one had to look all the same.
 */
import { closeSync } from 'node:fs';
import { BerthError } from '../../kit/errors.ts';
import { SystemCallError, check, libc, libcAsync } from '../libc.ts';
import { frame, parseReplies, refusalOf, typeError } from '../rtnetlink/frames.ts';

const socket = libc('int socket(int domain, int type, int protocol)');
const bind = libc('int bind(int fd, const uint8_t *address, uint32_t length)');
// On a worker thread: the kernel may first finish somebody's large transaction.
const send = libcAsync('long send(int fd, const uint8_t *data, size_t length, int flags)');
const recv = libc('long recv(int fd, uint8_t *data, size_t length, int flags)');

const netlinkFamily = 16;
const rawCloseOnExec = 3 | 0o2000000; // SOCK_RAW | SOCK_CLOEXEC
const netfilter = 12; // NETLINK_NETFILTER
const dontWait = 0x40; // MSG_DONTWAIT
const nftables = 10 << 8; // NFNL_SUBSYS_NFTABLES
const newGeneration = nftables | 15;
const getGeneration = nftables | 16;
const flagRequest = 1;
const generationAttribute = 1; // NFTA_GEN_ID, unsigned 32 bit, big-endian
const familyHeader = 4; // struct nfgenmsg

export class GenerationSocket {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(4096);
  #sequence = 0;

  /** Bound to the network namespace this thread is in. */
  constructor() {
    this.#fd = check(socket(netlinkFamily, rawCloseOnExec, netfilter), 'socket', 'for nftables');
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, netlinkFamily, true);
    try {
      check(bind(this.#fd, address, address.length), 'bind', 'of nftables');
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** One call at a time. */
  async read(): Promise<number> {
    const sequence = ++this.#sequence;
    const request = frame(getGeneration, flagRequest, sequence, new Uint8Array(familyHeader));
    const { result, errno } = await send(this.#fd, request, request.length, 0);
    if (result < 0) throw new SystemCallError('send', errno, 'to nftables');
    for (;;) {
      // The kernel has answered within send.
      const length = check(recv(this.#fd, this.#buffer, this.#buffer.length, dontWait), 'recv', 'from nftables');
      for (const reply of parseReplies(this.#buffer.subarray(0, length))) {
        if (reply.sequence !== sequence) continue;
        if (reply.type === newGeneration) return generationOf(reply.payload);
        if (reply.type === typeError)
          throw new BerthError('INTERNAL', `nftables does not tell its generation: ${refusalOf(reply)?.code ?? ''}`);
      }
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function generationOf(payload: Buffer): number {
  for (let at = familyHeader; at + 8 <= payload.length;) {
    const length = payload.readUInt16LE(at);
    if (payload.readUInt16LE(at + 2) === generationAttribute) return payload.readUInt32BE(at + 4);
    at += Math.max(4, (length + 3) & ~3);
  }
  throw new BerthError('INTERNAL', 'nftables does not tell its generation');
}
