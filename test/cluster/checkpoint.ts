/** What the kubelet has written down of answers to Allocate, which it repeats at every start of a container. */
import { z } from 'zod';
import type { ClusterNode } from '../../cluster/node.ts';

const checkpoint = z.object({
  Data: z.object({ PodDeviceEntries: z.array(z.object({ ResourceName: z.string(), AllocResp: z.string() })) }),
});

/** The answer for a resource's container: names and paths stand in it as text. */
export async function answerFor(node: ClusterNode, resource: string): Promise<string> {
  const { stdout } = await node.exec(['cat', '/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint']);
  const entries = checkpoint.parse(JSON.parse(stdout)).Data.PodDeviceEntries;
  const found = entries.find(({ ResourceName }) => ResourceName === resource);
  return Buffer.from(found?.AllocResp ?? '', 'base64').toString('latin1');
}
