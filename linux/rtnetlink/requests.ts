/** What can be asked of rtnetlink, as plain values. */
import type { NetworkNamespace } from '../netns.ts';

/** One end of a veth pair. `mac` is six hexadecimal bytes with colons. */
export interface VethEnd {
  readonly name: string;
  /** Chosen by us, so that the following requests of the same batch can name the link. */
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
}

/** Creates a veth pair: this end in the socket's namespace, the peer at once in the other one (moving is 20 times slower). */
export interface CreateVeth extends VethEnd {
  readonly op: 'create-veth';
  /** IFLA_GROUP of this end; the peer gets group 0. */
  readonly group: number;
  readonly peer: VethEnd & { readonly namespace: NetworkNamespace };
}

/** Creates an intermediate functional block: what is sent to it is queued there and then goes on where it came from. */
export interface CreateIfb {
  readonly op: 'create-ifb';
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly group: number;
}

/** What makes a VXLAN device the one it is (RFC 7348); none of it can be changed afterwards. */
export interface VxlanSettings {
  /** VXLAN network identifier, 24 bits. */
  readonly id: number;
  /** UDP port it sends to and listens on. */
  readonly port: number;
  /** Its own address on the underlying network, of the family that its packets travel by. */
  readonly local: string;
}

/** An entry of a VXLAN device's forwarding database. */
export interface ForwardingState {
  readonly index: number;
  readonly mac: string;
  /** Address of the other end of the tunnel. */
  readonly to: string;
}

/** Creates a VXLAN device that learns nothing: where a MAC is has to be told with `add-forwarding`. */
export interface CreateVxlan extends VxlanSettings, VethEnd {
  readonly op: 'create-vxlan';
  readonly group: number;
}

/** Tells a VXLAN device behind which address of the underlying network a MAC is. Replaces what it was told before. */
export interface AddForwarding extends ForwardingState {
  readonly op: 'add-forwarding';
}

export interface DeleteForwarding extends ForwardingState {
  readonly op: 'delete-forwarding';
}

/** Changes what is given. The kernel ignores an alias in the request that creates a link, hence here. */
export interface SetLink {
  readonly op: 'set-link';
  readonly index: number;
  readonly alias?: string;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly group?: number;
  /**
   * The kernel gives the link no IPv6 address of its own making. It acts on this after `up`, so it belongs into a request
   * before. EAFNOSUPPORT where the kernel has no IPv6.
   */
  readonly addressGeneration?: 'none';
  /** Lets packets with addresses of 127.0.0.0/8 through this link. */
  readonly routeLocalnet?: true;
}

/** Removes all links of a group in one RCU grace period. A group without links is no error. */
export interface DeleteLinks {
  readonly op: 'delete-links';
  readonly group: number;
}

export interface AddAddress {
  readonly op: 'add-address';
  readonly index: number;
  /** Address with prefix length; an IPv6 one is used without looking for duplicates. */
  readonly address: string;
}

/** Adds a unicast route to the main table; `via` makes it a route through a gateway, else it is on link. */
export interface AddRoute {
  readonly op: 'add-route';
  readonly index: number;
  /** Network with prefix length; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly destination: string;
  readonly via?: string;
  /** Preferred source address of the node's own connections. */
  readonly source?: string;
  /** Who made it (RTPROT_*, rtnetlink(7)), so that ours are told from others'; RTPROT_STATIC without it. */
  readonly protocol?: number;
  /** The gateway is on that link whatever the routes say. */
  readonly onlink?: boolean;
  /** Takes the place of a route to the same destination in one step, so that no packet is lost; else that is EEXIST. */
  readonly replace?: boolean;
}

export interface DeleteRoute {
  readonly op: 'delete-route';
  readonly index: number;
  readonly destination: string;
  /** Only the route through this gateway. */
  readonly via?: string;
  /** Only a route of this maker. */
  readonly protocol?: number;
}

export interface AddNeighbour {
  readonly op: 'add-neighbour';
  readonly index: number;
  readonly address: string;
  readonly mac: string;
}

export interface DeleteNeighbour {
  readonly op: 'delete-neighbour';
  readonly index: number;
  readonly address: string;
}

/** Limits what a link sends with a token bucket (tc-tbf(8)), in place of the discipline it had. */
export interface ShapeLink {
  readonly op: 'shape-link';
  readonly index: number;
  /** Bytes per second. */
  readonly rate: number;
  /** Bytes that may go at once, at most 4 GiB - 1. */
  readonly burst: number;
  /** Bytes that may wait; what comes then is dropped. */
  readonly queue: number;
}

/** Gives a link the discipline that filters on what it receives belong to. One that is there stays. */
export interface WatchIngress {
  readonly op: 'watch-ingress';
  readonly index: number;
}

/** Sends everything that a link with `watch-ingress` receives through another link first; replaces an earlier one. */
export interface RedirectIngress {
  readonly op: 'redirect-ingress';
  readonly index: number;
  readonly to: number;
}

/** One change. Deletions that find nothing to delete succeed. */
export type RouteRequest =
  | CreateVeth
  | SetLink
  | DeleteLinks
  | AddAddress
  | AddRoute
  | AddNeighbour
  | DeleteRoute
  | DeleteNeighbour
  | CreateIfb
  | CreateVxlan
  | AddForwarding
  | DeleteForwarding
  | ShapeLink
  | WatchIngress
  | RedirectIngress;

/** A request in words, for the message of a refusal. */
export function describeRequest(request: RouteRequest): string {
  switch (request.op) {
    case 'create-veth':
      return `to create the veth pair ${request.name} and ${request.peer.name} (in ${request.peer.namespace.path})`;
    case 'create-vxlan':
      return `to create the link ${request.name} (VXLAN ${request.id}, UDP port ${request.port}, ${request.local})`;
    case 'add-forwarding':
      return `the forwarding of ${request.mac} to ${request.to} on link ${request.index}`;
    case 'delete-forwarding':
      return `to delete the forwarding of ${request.mac} to ${request.to} on link ${request.index}`;
    case 'create-ifb':
      return `to create the link ${request.name}`;
    case 'set-link':
      return `to change link ${request.index}`;
    case 'delete-links':
      return `to delete the links of group ${request.group}`;
    case 'add-address':
      return `the address ${request.address} on link ${request.index}`;
    case 'add-route':
      return `the route to ${request.destination} over link ${request.index}`;
    case 'delete-route':
      return `to delete the route to ${request.destination} over link ${request.index}`;
    case 'add-neighbour':
      return `the neighbour ${request.address} on link ${request.index}`;
    case 'delete-neighbour':
      return `to delete the neighbour ${request.address} on link ${request.index}`;
    case 'shape-link':
      return `to limit link ${request.index} to ${request.rate} bytes per second`;
    case 'watch-ingress':
      return `to filter what link ${request.index} receives`;
    case 'redirect-ingress':
      return `to send what link ${request.index} receives through link ${request.to}`;
  }
}
