/** Every address of a cluster. Each cluster has a network of its own, so all of them use the same addresses. */

export const podRanges = ['10.244.0.0/16', 'fd00:244::/56'] as const;
export const serviceRanges = ['10.96.0.0/16', 'fd00:96::/112'] as const;
/** The API server's own Service: the first address of the range. */
export const apiServiceAddresses = ['10.96.0.1', 'fd00:96::1'] as const;
/** The bridge's own: from it the machine reaches the API server. It is nobody's gateway. */
export const switchAddress = '10.77.0.1';
export const dnsServiceAddress = '10.96.0.10';
export const apiPort = 6443;

export interface NodeAddresses {
  readonly v4: string;
  readonly v6: string;
}

/** The addresses of the node with an index from 0, in 10.77.0.0/24 and fd00:77::/64. */
export function nodeAddresses(index: number): NodeAddresses {
  return { v4: `10.77.0.${index + 11}`, v6: `fd00:77::${(index + 11).toString(16)}` };
}

/** Node names count from 1: `node-1` has the control plane. */
export function nodeName(index: number): string {
  return `node-${index + 1}`;
}

export const maxNodes = 50;
