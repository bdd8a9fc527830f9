/** Requests about addresses, routes and neighbours as rtnetlink messages. */
import type { RouteProtocol } from 'netlink/dist/rt/gen_structs.js';
import { formatAddressMessage, formatNeighborMessage, formatRouteMessage } from 'netlink/dist/rt/structs.js';
import { addressBytes } from '../ipaddress.ts';
import {
  createNew,
  createOrReplace,
  familyOfBytes,
  macBytes,
  mainTable,
  message,
  messageType,
  splitNetwork,
} from './message.ts';
import type { Message } from './message.ts';
import type { AddAddress, AddNeighbour, AddRoute, DeleteNeighbour, DeleteRoute } from './requests.ts';

const onLink = 0x4; // RTNH_F_ONLINK
const staticRoute = 4; // RTPROT_STATIC

export function encodeAddress(request: AddAddress): Message {
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

/** The codec's type knows only the makers with a name. */
function makerOf(protocol: number): RouteProtocol {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- any byte is a maker, named or not
  return protocol;
}

export function encodeRoute(request: AddRoute): Message {
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

export function encodeDeleteRoute(request: DeleteRoute): Message {
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

export function encodeNeighbour(request: AddNeighbour): Message {
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

export function encodeDeleteNeighbour(request: DeleteNeighbour): Message {
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
