/** Who holds which device, by the kubelet's PodResources: the answer in our words, and what is wrong in it. Pure. */
import type { PodResources__Output } from '../../protos/types/v1/PodResources.ts';
import type { Snapshot } from '../units/unit.ts';
import { unitIdOf } from './deviceid.ts';

export interface Holder {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** By resource, then by device ID (`<unit>::<replica>`). Resources of other plugins are in it too. */
export type Holders = ReadonlyMap<string, ReadonlyMap<string, readonly Holder[]>>;

/** The holders in an answer of the kubelet, by name: it tells pods, resources and devices in another order each time. */
export function holdersOf(pods: readonly PodResources__Output[]): Holders {
  const all = new Map<string, Map<string, Holder[]>>();
  const byName = pods.toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
  for (const { namespace, name: pod, containers } of byName)
    for (const { name: container, devices } of containers) {
      // A device of two NUMA nodes is in the list twice.
      const seen = new Set<string>();
      for (const { resource_name: resource, device_ids: ids } of devices)
        for (const id of ids) {
          const key = `${resource} ${id}`;
          if (seen.has(key)) continue;
          seen.add(key);
          const ofResource = all.get(resource) ?? new Map<string, Holder[]>();
          all.set(resource, ofResource);
          ofResource.set(id, [...(ofResource.get(id) ?? []), { namespace, pod, container }]);
        }
    }
  return sortedByKey(new Map([...all].map(([resource, devices]) => [resource, sortedByKey(devices)])));
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const sortedByKey = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
  new Map([...map].sort(([a], [b]) => compare(a, b)));

/** Whether two answers say the same. */
export function sameHolders(one: Holders | undefined, other: Holders | undefined): boolean {
  const flat = (holders: Holders | undefined): string =>
    holders === undefined ? '' : JSON.stringify([...holders].map(([resource, devices]) => [resource, [...devices]]));
  return flat(one) === flat(other);
}

/** How many units of each resource somebody holds. */
export function unitsInUse(holders: Holders, snapshot: Snapshot): ReadonlyMap<string, number> {
  return new Map(
    [...snapshot.keys()].map((resource) => [
      resource,
      new Set([...(holders.get(resource)?.keys() ?? [])].map(unitIdOf)).size,
    ]),
  );
}

/**
 * What the kubelet has given away beyond the rules, as sentences: a device in two pods, or a unit in more containers than it
 * has replicas. Within a pod a container may have a device after an init container.
 */
export function conflictsOf(holders: Holders, snapshot: Snapshot): readonly string[] {
  const sentences: string[] = [];
  for (const [resource, { rule }] of snapshot) {
    const byUnit = new Map<string, Set<string>>();
    for (const [id, each] of holders.get(resource) ?? []) {
      const pods = new Set(each.map(({ namespace, pod }) => `${namespace}/${pod}`));
      if (pods.size > 1) sentences.push(`${resource}: the kubelet gave ${id} to ${[...pods].sort().join(' and ')}`);
      const unit = byUnit.get(unitIdOf(id)) ?? new Set<string>();
      byUnit.set(unitIdOf(id), unit);
      for (const pod of pods) unit.add(pod);
    }
    for (const [unit, pods] of byUnit)
      if (pods.size > rule.sharing.replicas)
        sentences.push(
          `${resource}: ${pods.size} pods have ${unit}, and sharing.replicas is ${rule.sharing.replicas}: ${[...pods].sort().join(', ')}`,
        );
  }
  return sentences;
}
