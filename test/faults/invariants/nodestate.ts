/** One node's network as the kernel, the agent's files and the API server tell it: plain values for the deciding parts. */
import type { Attachment } from '../../../cni/attachment.ts';

export interface RecordState {
  readonly file: string;
  /** Undefined when the file is no attachment. */
  readonly attachment: Attachment | undefined;
}

/** A pod of this node that is not over and has a network of its own. */
export interface PodState {
  readonly name: string;
  readonly uid: string;
  /** None before its network is there. */
  readonly addresses: readonly string[];
}

export interface LinkState {
  readonly index: number;
  readonly name: string;
  readonly group: number;
  readonly alias: string;
  readonly kind: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
}

/** A route of the main table. `protocol` is a name or number as ip-route(8) writes it. */
export interface RouteState {
  readonly destination: string;
  readonly link: string;
  readonly via?: string;
  readonly protocol: string;
}

/** A permanent neighbour. */
export interface NeighbourState {
  readonly address: string;
  readonly link: string;
  readonly mac: string;
}

export interface ForwardingState {
  readonly mac: string;
  readonly to: string;
}

/** A queueing discipline; `rate` in bytes per second, of a token bucket. */
export interface DisciplineState {
  readonly kind: string;
  readonly link: string;
  readonly rate?: number;
}

/** What a link receives goes through another one first. */
export interface RedirectionState {
  readonly link: string;
  readonly to: string;
}

/** What is inside a pod's namespace. */
export interface SandboxState {
  /** Device and inode of the namespace. */
  readonly identity: string;
  readonly links: readonly {
    readonly name: string;
    readonly index: number;
    readonly mac: string;
    readonly addresses: readonly string[];
  }[];
}

/** What the API server says of a node. */
export interface NodeObject {
  readonly name: string;
  readonly podCIDRs: readonly string[];
  readonly addresses: readonly string[];
}

export interface NodeNetwork {
  readonly name: string;
  readonly records: readonly RecordState[];
  readonly pods: readonly PodState[];
  readonly links: readonly LinkState[];
  readonly routes: readonly RouteState[];
  readonly neighbours: readonly NeighbourState[];
  readonly forwardings: readonly ForwardingState[];
  /** Addresses of the tunnel's device. */
  readonly tunnelAddresses: readonly string[];
  readonly disciplines: readonly DisciplineState[];
  readonly redirections: readonly RedirectionState[];
  readonly sandboxes: readonly SandboxState[];
  /** Elements by set of our table; undefined when there is no such table. */
  readonly elements: ReadonlyMap<string, readonly string[]> | undefined;
  /** Files in the queue of calls, and files that were set aside as no calls. */
  readonly queue: readonly string[];
  readonly refused: readonly string[];
  /** Files that a write left half-done. */
  readonly unfinished: readonly string[];
  /** Addresses that the agent counts as used; undefined when it does not answer. */
  readonly counted: number | undefined;
}

/** The records that can be read. */
export function attachmentsOf({ records }: NodeNetwork): readonly Attachment[] {
  return records.flatMap(({ attachment }) => attachment ?? []);
}
