/** A request on its way to the kernel: message types, flags, and the small parts that several encoders share. */
import type { AttrStream as Attributes } from 'netlink/dist/structs.js';
import { AttrStream } from 'netlink/dist/structs.js';
import { addressBytes } from '../ipaddress.ts';
import type { Family } from '../ipaddress.ts';

// Message types and flags of linux/rtnetlink.h and linux/netlink.h.
export const messageType = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
  newQdisc: 36,
  getQdisc: 38,
  newFilter: 44,
} as const;
export const createNew = 0x400 | 0x200; // NLM_F_CREATE | NLM_F_EXCL
export const createOrReplace = 0x400 | 0x100; // NLM_F_CREATE | NLM_F_REPLACE

const inet = 2; // AF_INET
const inet6 = 10; // AF_INET6
/** RT_TABLE_MAIN: what `ip route` shows. */
export const mainTable = 254;
/** AF_BRIDGE: whose neighbours are forwarding databases. */
export const bridgeFamily = 7;
/** IFLA_INFO_KIND and IFLA_INFO_DATA. */
export const linkInfo = { kind: 1, data: 2 } as const;
/** IFLA_VXLAN_*. */
export const vxlanAttribute = { id: 1, local: 4, learning: 7, port: 15, local6: 17 } as const;
/** NDA_*. */
export const neighbourAttribute = { destination: 1, mac: 2 } as const;

/** A message without its header, the flags beyond NLM_F_REQUEST and NLM_F_ACK, and the refusals that mean "already gone". */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly tolerated: readonly string[];
}

export function message(
  type: number,
  flags: number,
  format: (out: Attributes) => void,
  tolerated: readonly string[] = [],
): Message {
  return { type, flags, payload: concat(format), tolerated };
}

/** The AF_* number of a family. */
export function familyNumber(family: Family): number {
  return family === 4 ? inet : inet6;
}

export function familyOfBytes(bytes: Buffer): number {
  return bytes.length === 4 ? inet : inet6;
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** An address with or without prefix length as bytes and bits. */
export function splitNetwork(network: string): { readonly bytes: Buffer; readonly length: number } {
  const [address = '', length] = network.split('/');
  const bytes = addressBytes(address);
  return { bytes, length: length === undefined ? 8 * bytes.length : Number(length) };
}

/** The bytes that a codec writes. */
export function concat(format: (out: Attributes) => void): Buffer {
  const out = new AttrStream();
  format(out);
  return Buffer.concat(out.bufs);
}

/** One attribute with its header, padded to the next. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const length = 4 + value.length;
  const bytes = Buffer.alloc((length + 3) & ~3);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}
