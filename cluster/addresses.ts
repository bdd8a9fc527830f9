/** Every address of a cluster. Each cluster has a network of its own, so all of them use the same addresses. */

export const podRanges = ['10.244.0.0/16', 'fd00:244::/56'] as const;
export const serviceRanges = ['10.96.0.0/16', 'fd00:96::/112'] as const;
/** The API server's own Service: the first address of the range. */
export const apiServiceAddresses = ['10.96.0.1', 'fd00:96::1'] as const;
/** A network that joins nodes. */
export interface Link {
  /** Name of its bridge. */
  readonly name: string;
  readonly prefix4: string;
  readonly prefix6: string;
}
/** The first link; from its router the machine reaches the API server. */
export const firstLink: Link = { name: 'nodes', prefix4: '10.77.0', prefix6: 'fd00:77:' };
/** Behind the router, for nodes that the others do not reach without it. */
export const secondLink: Link = { name: 'far', prefix4: '10.78.0', prefix6: 'fd00:78:' };

/** The router's own addresses on a link. */
export function routerAddresses({ prefix4, prefix6 }: Link): NodeAddresses {
  return { v4: `${prefix4}.1`, v6: `${prefix6}:1` };
}

export const dnsServiceAddress = '10.96.0.10';
export const apiPort = 6443;

export interface NodeAddresses {
  readonly v4: string;
  readonly v6: string;
}

/** The addresses of the node with an index from 0, in 10.77.0.0/24 and fd00:77::/64, or 10.78.0.0/24 and fd00:78::/64. */
export function nodeAddresses(index: number, link: Link = firstLink): NodeAddresses {
  return { v4: `${link.prefix4}.${index + 11}`, v6: `${link.prefix6}:${(index + 11).toString(16)}` };
}

/** Where a node is: its number, from 0 and its own for good, and the link it is on. */
export interface NodePlace {
  readonly index: number;
  readonly link: Link;
}

/** The places of so many nodes, of which the last `far` are behind the router. */
export function nodePlaces(count: number, far: number): readonly NodePlace[] {
  return Array.from({ length: count }, (_, index) => ({ index, link: index >= count - far ? secondLink : firstLink }));
}

/** Node names count from 1: `node-1` has the control plane. */
export function nodeName(index: number): string {
  return `node-${index + 1}`;
}

export const maxNodes = 50;
