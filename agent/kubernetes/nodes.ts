/** What is kept of a Node object: its pod ranges and internal addresses, a hundred bytes of many thousand. */
import type { NodeFacts } from '../../cni/nodes/nodefacts.ts';
import type { Collection } from './follow.ts';
import type { ApiObject } from './transport.ts';

// More than any Node has, and too little for one to fill the memory with.
const mostTexts = 8;
const longestText = 64;

export const nodeCollection: Collection<NodeFacts> = {
  path: '/api/v1/nodes',
  keep: factsOf,
  equal: (a, b) => a.podCIDRs.join() === b.podCIDRs.join() && a.addresses.join() === b.addresses.join(),
};

function factsOf(node: ApiObject): NodeFacts {
  const spec = asRecord(node['spec']);
  const several = spec['podCIDRs'];
  const entries = asRecord(node['status'])['addresses'];
  return {
    podCIDRs: texts(Array.isArray(several) && several.length > 0 ? several : [spec['podCIDR']]),
    addresses: texts(
      (Array.isArray(entries) ? entries : [])
        .map(asRecord)
        .filter(({ type }) => type === 'InternalIP')
        .map(({ address }) => address),
    ),
  };
}

function asRecord(value: unknown): ApiObject {
  return typeof value === 'object' && value !== null ? (value as ApiObject) : {};
}

function texts(values: readonly unknown[]): readonly string[] {
  return values
    .filter((value) => typeof value === 'string')
    .slice(0, mostTexts)
    .map((text) => text.slice(0, longestText));
}
