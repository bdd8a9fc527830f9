/** Reads what one node advertises: the agent's own count, the kubelet's register of units, and the Node object's. */
import { z } from 'zod';
import type { ClusterNode } from '../../../cluster/node.ts';
import type { NodeDevices } from './devices.ts';
import { linesOf, metricsLine, readSections, samplesOf } from './sections.ts';

/** The resources of the test cluster's configuration. */
export interface ConfiguredResource {
  readonly name: string;
  readonly paths: readonly string[];
  readonly replicas: number;
}

/** What the kubelet keeps of the device plugins it knows. */
const checkpoint = z.object({
  Data: z.object({ RegisteredDevices: z.record(z.string(), z.array(z.string())).nullable() }),
});

/** `allocatable` as the Node object has it. */
export async function readDevices(
  node: ClusterNode,
  resources: readonly ConfiguredResource[],
  allocatable: Readonly<Record<string, string>>,
): Promise<NodeDevices> {
  const paths = resources.flatMap((resource) => resource.paths);
  const read = await readSections(node, {
    present: `for p in ${paths.join(' ')}; do if [ -c "$p" ] || [ -b "$p" ]; then echo "$p"; fi; done`,
    checkpoint: 'cat /var/lib/kubelet/device-plugins/kubelet_internal_checkpoint',
    metrics: metricsLine,
  });
  const healthy = samplesOf(read.metrics, 'berth_device_devices').flatMap(({ labels, value }) => {
    const name = /resource="([^"]+)",health="healthy"/.exec(labels)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  return {
    resources,
    present: linesOf(read.present),
    registered: checkpoint.parse(JSON.parse(read.checkpoint)).Data.RegisteredDevices ?? {},
    allocatable: Object.fromEntries(Object.entries(allocatable).map(([name, count]) => [name, Number(count)])),
    healthy: Object.fromEntries(healthy),
  };
}
