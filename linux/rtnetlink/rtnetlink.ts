/** What Berth has of rtnetlink: what can be listed, and the interface that the kernel and the fake share. */
import type { Family } from '../ipaddress.ts';
import type { NetworkNamespace } from '../netns.ts';
import { describeRequest } from './requests.ts';
import type { ForwardingState, RouteRequest, VxlanSettings } from './requests.ts';

export interface LinkState {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly group: number;
  /** Empty when none is set. */
  readonly alias: string;
  readonly up: boolean;
  /** Kind of a virtual link (`veth`, `vxlan`, …), empty for others. */
  readonly kind: string;
  /** Of a `vxlan`. */
  readonly vxlan?: VxlanSettings;
}

export interface AddressState {
  readonly index: number;
  readonly address: string;
  /** True for one that other hosts can use (RT_SCOPE_UNIVERSE). */
  readonly global: boolean;
}

/** A unicast route of the main table. */
export interface RouteState {
  readonly index: number;
  readonly destination: string;
  readonly via?: string;
  readonly source?: string;
  /** Who made it (RTPROT_*), absent for RTPROT_STATIC. */
  readonly protocol?: number;
  readonly metric: number;
}

/** A permanent neighbour entry. */
export interface NeighbourState {
  readonly index: number;
  readonly address: string;
  readonly mac: string;
}

/** A token bucket that is a link's root discipline. */
export interface ShapeState {
  readonly index: number;
  /** Bytes per second. */
  readonly rate: number;
}

/** A socket for one network namespace. Calls run one after another in the order they were made. */
export interface RouteSocket {
  /**
   * Sends all requests in one message. As in the kernel, each is tried also when one before it failed; then it throws
   * a RouteError for the first that failed. At most 64 requests.
   */
  apply(requests: readonly RouteRequest[]): Promise<void>;
  links(): Promise<readonly LinkState[]>;
  /** One link by name, without listing the others. */
  link(name: string): Promise<LinkState | undefined>;
  /** The addresses of one family, IPv4 unless told; so with routes and neighbours. */
  addresses(family?: Family): Promise<readonly AddressState[]>;
  routes(family?: Family): Promise<readonly RouteState[]>;
  neighbours(family?: Family): Promise<readonly NeighbourState[]>;
  /** What VXLAN devices were told of where MACs are. */
  forwardings(): Promise<readonly ForwardingState[]>;
  /** The links that are shaped. */
  shapes(): Promise<readonly ShapeState[]>;
  close(): void;
}

/** Opens sockets: without an argument in the namespace of this thread. */
export interface Rtnetlink {
  open(namespace?: NetworkNamespace): RouteSocket;
}

/** A request the kernel refused. `code` is the errno name (`EEXIST`). */
export class RouteError extends Error {
  readonly code: string;
  /** The refused request; undefined when a listing failed. */
  readonly request: RouteRequest | undefined;

  constructor(code: string, detail: string, request?: RouteRequest) {
    const what = request === undefined ? 'a listing' : describeRequest(request);
    super(`rtnetlink refused ${what}: ${detail === '' ? code : `${detail} (${code})`}`);
    this.name = 'RouteError';
    this.code = code;
    this.request = request;
  }
}

/** Upper limit of one batch: its acknowledgements must fit the socket's receive buffer (208 KiB by default). */
export const largestBatch = 64;
