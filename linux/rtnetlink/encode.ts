/** Requests and questions as rtnetlink messages (rtnetlink(7)), with the codecs (and nothing else) of the npm package `netlink`. */
import type { Family } from '../ipaddress.ts';
import {
  encodeDeleteLinks,
  encodeForwarding,
  encodeIfb,
  encodeSetLink,
  encodeVeth,
  encodeVxlan,
} from './encodelink.ts';
import { encodeRedirect, encodeShape, encodeWatchIngress } from './encodeqdisc.ts';
import {
  encodeAddress,
  encodeDeleteNeighbour,
  encodeDeleteRoute,
  encodeNeighbour,
  encodeRoute,
} from './encoderoute.ts';
import { bridgeFamily, familyNumber, messageType } from './message.ts';
import type { Message } from './message.ts';
import type { RouteRequest } from './requests.ts';

/** A request as its message. */
export function encode(request: RouteRequest): Message {
  switch (request.op) {
    case 'create-veth':
      return encodeVeth(request);
    case 'create-ifb':
      return encodeIfb(request);
    case 'create-vxlan':
      return encodeVxlan(request);
    case 'add-forwarding':
    case 'delete-forwarding':
      return encodeForwarding(request);
    case 'set-link':
      return encodeSetLink(request);
    case 'delete-links':
      return encodeDeleteLinks(request);
    case 'add-address':
      return encodeAddress(request);
    case 'add-route':
      return encodeRoute(request);
    case 'delete-route':
      return encodeDeleteRoute(request);
    case 'add-neighbour':
      return encodeNeighbour(request);
    case 'delete-neighbour':
      return encodeDeleteNeighbour(request);
    case 'shape-link':
      return encodeShape(request);
    case 'watch-ingress':
      return encodeWatchIngress(request);
    case 'redirect-ingress':
      return encodeRedirect(request);
  }
}

/** The head of a listing of one family, by the message type that asks for it; links and disciplines have no family. */
export function encodeListing(type: number, family: Family | 'bridge'): Uint8Array {
  const lengths: Record<number, number> = {
    [messageType.getLink]: 16,
    [messageType.getAddress]: 8,
    [messageType.getRoute]: 12,
    [messageType.getNeighbour]: 12,
    [messageType.getQdisc]: 20,
  };
  const head = new Uint8Array(lengths[type] ?? 16);
  if (type !== messageType.getLink && type !== messageType.getQdisc)
    head[0] = family === 'bridge' ? bridgeFamily : familyNumber(family);
  return head;
}
