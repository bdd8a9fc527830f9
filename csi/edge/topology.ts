/** Where volumes of this node can be reached: one segment, `<driver>/node` = the node the pool was made on. */
import { BerthError } from '../../kit/errors.ts';
import type { TopologyRequirement__Output } from '../../protos/types/csi/v1/TopologyRequirement.ts';

export interface Topology {
  readonly segments: Readonly<Record<string, string>>;
}

/** The topology of a node's pool. The key is the driver's own, for hosts get renamed and `kubernetes.io/hostname` with them. */
export function topologyOf(driverName: string, node: string): Topology {
  return { segments: { [`${driverName}/node`]: node } };
}

/** Whether everything the other topology demands is true here. An empty one demands nothing. */
export function includes(here: Topology, wanted: { readonly segments: Readonly<Record<string, string>> }): boolean {
  return Object.entries(wanted.segments).every(([key, value]) => here.segments[key] === value);
}

/** Throws RESOURCE_EXHAUSTED, the code with which the scheduler tries another node, when the volume is wanted elsewhere. */
export function assertWantedHere(here: Topology, requirement: TopologyRequirement__Output | null): void {
  const requisite = requirement?.requisite ?? [];
  if (requisite.length === 0 || requisite.some((wanted) => includes(here, wanted))) return;
  const node = Object.values(here.segments).join(', ');
  throw new BerthError('RESOURCE_EXHAUSTED', `the volume is wanted on another node; this one is ${node}`);
}
