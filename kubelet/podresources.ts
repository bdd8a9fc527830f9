/** Which container holds which device: the client of the kubelet's pod resources API. */
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
