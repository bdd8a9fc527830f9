/** Requests as rtnetlink messages, with the codecs (and nothing else) of the npm package `netlink`. */
import type { RouteProtocol } from 'netlink/dist/rt/gen_structs.js';
import { formatVethInfo } from 'netlink/dist/rt/ifla.js';
import {
  formatAddressMessage,
  formatLinkMessage,
  formatNeighborMessage,
  formatRouteMessage,
} from 'netlink/dist/rt/structs.js';
import { AttrStream } from 'netlink/dist/structs.js';
import { addressBytes } from '../ipaddress.ts';
import type { Family } from '../ipaddress.ts';
import type { AddRoute, CreateVeth, RouteRequest, SetLink } from './rtnetlink.ts';

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
} as const;
const createNew = 0x400 | 0x200; // NLM_F_CREATE | NLM_F_EXCL
const createOrReplace = 0x400 | 0x100; // NLM_F_CREATE | NLM_F_REPLACE
const onLink = 0x4; // RTNH_F_ONLINK
const staticRoute = 4; // RTPROT_STATIC

const inet = 2; // AF_INET
const inet6 = 10; // AF_INET6
const addressGeneration = 8; // IFLA_INET6_ADDR_GEN_MODE
const generateNone = 1; // IN6_ADDR_GEN_MODE_NONE
const ipv4Settings = 1; // IFLA_INET_CONF
const routeLocalnet = 26; // IPV4_DEVCONF_ROUTE_LOCALNET
/** RT_TABLE_MAIN: what `ip route` shows. */
export const mainTable = 254;
/** IFLA_INFO_KIND. */
export const infoKind = 1;
const infoData = 2; // IFLA_INFO_DATA

/** A message without its header, the flags beyond NLM_F_REQUEST and NLM_F_ACK, and the refusals that mean "already gone". */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly tolerated: readonly string[];
}

function message(
  type: number,
  flags: number,
  format: (out: AttrStream) => void,
  tolerated: readonly string[] = [],
): Message {
  const out = new AttrStream();
  format(out);
  return { type, flags, payload: Buffer.concat(out.bufs), tolerated };
}

/** The AF_* number of a family. */
export function familyNumber(family: Family): number {
  return family === 4 ? inet : inet6;
}

function familyOfBytes(bytes: Buffer): number {
  return bytes.length === 4 ? inet : inet6;
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

function splitNetwork(network: string): { readonly bytes: Buffer; readonly length: number } {
  const [address = '', length] = network.split('/');
  const bytes = addressBytes(address);
  return { bytes, length: length === undefined ? 8 * bytes.length : Number(length) };
}

function concat(format: (out: AttrStream) => void): Buffer {
  const out = new AttrStream();
  format(out);
  return Buffer.concat(out.bufs);
}

function encodeVeth(request: CreateVeth): Message {
  const { peer } = request;
  const peerLink = concat((out) => {
    formatLinkMessage(
      {
        kind: 'link',
        data: { index: peer.index },
        attrs: { ifname: peer.name, address: macBytes(peer.mac), mtu: peer.mtu, netNsFd: peer.namespace.fd },
      },
      out,
    );
  });
  const linkinfo = concat((out) => {
    out.push(infoKind, Buffer.from('veth\0'));
    out.push(infoData, formatVethInfo({ peer: peerLink }));
  });
  return message(messageType.newLink, createNew, (out) => {
    formatLinkMessage(
      {
        kind: 'link',
        data: { index: request.index },
        attrs: {
          ifname: request.name,
          address: macBytes(request.mac),
          mtu: request.mtu,
          group: request.group,
          linkinfo,
        },
      },
      out,
    );
  });
}

/** The codec's type knows only the makers with a name. */
function makerOf(protocol: number): RouteProtocol {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- any byte is a maker, named or not
  return protocol;
}

function encodeRoute(request: AddRoute): Message {
  const { bytes, length } = splitNetwork(request.destination);
  return message(messageType.newRoute, request.replace === true ? createOrReplace : createNew, (out) => {
    formatRouteMessage(
      {
        kind: 'route',
        data: {
          family: familyOfBytes(bytes),
          dstLen: length,
          table: mainTable,
          protocol: makerOf(request.protocol ?? staticRoute),
          scope: request.via === undefined ? 'LINK' : 'UNIVERSE',
          type: 'UNICAST',
          // The codec has no name for this flag of the next hop.
          ...(request.onlink === true ? { flags: { __unknown: onLink } } : {}),
        },
        attrs: {
          oif: request.index,
          ...(length > 0 ? { dst: bytes } : {}),
          ...(request.via === undefined ? {} : { gateway: addressBytes(request.via) }),
          ...(request.source === undefined ? {} : { prefsrc: addressBytes(request.source) }),
        },
      },
      out,
    );
  });
}

function attribute(type: number, value: Buffer): Buffer {
  return concat((out) => {
    out.push(type, value);
  });
}

/** What a link has for one family only. */
function familySettings(request: SetLink): { readonly afSpec?: Map<number, Buffer> } {
  const settings = new Map<number, Buffer>();
  const on = Buffer.from([1, 0, 0, 0]);
  if (request.routeLocalnet === true) settings.set(inet, attribute(ipv4Settings, attribute(routeLocalnet, on)));
  if (request.addressGeneration === 'none')
    settings.set(inet6, attribute(addressGeneration, Buffer.from([generateNone])));
  return settings.size === 0 ? {} : { afSpec: settings };
}

/** A request as its rtnetlink message (rtnetlink(7)). */
export function encode(request: RouteRequest): Message {
  switch (request.op) {
    case 'create-veth':
      return encodeVeth(request);
    case 'set-link':
      return message(messageType.setLink, 0, (out) => {
        formatLinkMessage(
          {
            kind: 'link',
            data: {
              index: request.index,
              ...(request.up === undefined
                ? {}
                : { flags: request.up ? { up: true } : {}, change: { up: true } as const }),
            },
            attrs: {
              ...(request.alias === undefined ? {} : { ifalias: request.alias }),
              ...(request.group === undefined ? {} : { group: request.group }),
              ...familySettings(request),
            },
          },
          out,
        );
      });
    case 'delete-links':
      return message(
        messageType.delLink,
        0,
        (out) => {
          formatLinkMessage({ kind: 'link', data: {}, attrs: { group: request.group } }, out);
        },
        ['ENODEV'],
      );
    case 'add-address': {
      const { bytes, length } = splitNetwork(request.address);
      return message(messageType.newAddress, createNew, (out) => {
        formatAddressMessage(
          {
            kind: 'address',
            data: {
              family: familyOfBytes(bytes),
              prefixlen: length,
              index: request.index,
              // Nobody else can have it, and waiting to be sure takes the kernel more than a second.
              ...(bytes.length === 16 ? { flags: { nodad: true } as const } : {}),
            },
            attrs: { local: bytes, address: bytes },
          },
          out,
        );
      });
    }
    case 'add-route':
      return encodeRoute(request);
    case 'delete-route': {
      const { bytes, length } = splitNetwork(request.destination);
      return message(
        messageType.delRoute,
        0,
        (out) => {
          formatRouteMessage(
            {
              kind: 'route',
              data: {
                family: familyOfBytes(bytes),
                dstLen: length,
                table: mainTable,
                scope: 'NOWHERE',
                ...(request.protocol === undefined ? {} : { protocol: makerOf(request.protocol) }),
              },
              attrs: {
                dst: bytes,
                oif: request.index,
                ...(request.via === undefined ? {} : { gateway: addressBytes(request.via) }),
              },
            },
            out,
          );
        },
        ['ESRCH', 'ENODEV'],
      );
    }
    case 'add-neighbour': {
      const bytes = addressBytes(request.address);
      return message(messageType.newNeighbour, createOrReplace, (out) => {
        formatNeighborMessage(
          {
            kind: 'neighbor',
            data: { family: familyOfBytes(bytes), ifindex: request.index, state: { permanent: true } },
            attrs: { dst: bytes, lladdr: macBytes(request.mac) },
          },
          out,
        );
      });
    }
    case 'delete-neighbour': {
      const bytes = addressBytes(request.address);
      return message(
        messageType.delNeighbour,
        0,
        (out) => {
          formatNeighborMessage(
            {
              kind: 'neighbor',
              data: { family: familyOfBytes(bytes), ifindex: request.index },
              attrs: { dst: bytes },
            },
            out,
          );
        },
        ['ENOENT', 'ENODEV'],
      );
    }
  }
}

/** The question for one link by name. */
export function encodeLinkQuery(name: string): Uint8Array {
  return message(messageType.getLink, 0, (out) => {
    formatLinkMessage({ kind: 'link', data: {}, attrs: { ifname: name } }, out);
  }).payload;
}

/** The head of a listing of one family, by the message type that asks for it; links have no family. */
export function encodeListing(type: number, family: Family): Uint8Array {
  const lengths: Record<number, number> = {
    [messageType.getLink]: 16,
    [messageType.getAddress]: 8,
    [messageType.getRoute]: 12,
    [messageType.getNeighbour]: 12,
  };
  const head = new Uint8Array(lengths[type] ?? 16);
  if (type !== messageType.getLink) head[0] = familyNumber(family);
  return head;
}
