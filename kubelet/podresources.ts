/** Which container holds which device, and what is left to give: the client of the kubelet's pod resources API. */
import { join } from 'node:path';
import { dial } from '../protos/dial.ts';
import type { PodResources__Output } from '../protos/types/v1/PodResources.ts';

/** The active pods with what their containers hold. Throws UNAVAILABLE without a kubelet, RESOURCE_EXHAUSTED above 100 calls a second. */
export async function listPodResources(
  rootDir: string,
  signal?: AbortSignal,
): Promise<readonly PodResources__Output[]> {
  const kubelet = dial('v1.PodResourcesLister', join(rootDir, 'pod-resources/kubelet.sock'));
  try {
    const answer = await kubelet.List({}, signal === undefined ? {} : { signal });
    return answer.pod_resources;
  } finally {
    kubelet.close();
  }
}

/** How many devices of each resource the kubelet can give away, those included that it has given. Throws as `listPodResources`. */
export async function countAllocatable(rootDir: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const kubelet = dial('v1.PodResourcesLister', join(rootDir, 'pod-resources/kubelet.sock'));
  try {
    const { devices } = await kubelet.GetAllocatableResources({}, { signal });
    // A device of two NUMA nodes is in the list twice.
    const ids = new Map<string, Set<string>>();
    for (const { resource_name: resource, device_ids: some } of devices)
      ids.set(resource, (ids.get(resource) ?? new Set()).union(new Set(some)));
    return new Map([...ids].map(([resource, all]) => [resource, all.size]));
  } finally {
    kubelet.close();
  }
}
