/** Which container runtime this node has, as the kubelet says it on the Node object, and what that runtime can. */
import { BerthError } from '../kit/errors.ts';
import type { ApiClient } from './kubernetes/client.ts';

/** `containerd://2.3.3`. Throws UNAVAILABLE while the kubelet has not said it yet, and as the client does. */
export async function readContainerRuntime(
  client: Pick<ApiClient, 'get'>,
  nodeName: string,
  signal: AbortSignal,
): Promise<string> {
  const node = await client.get(`/api/v1/nodes/${encodeURIComponent(nodeName)}`, signal);
  const { nodeInfo } = (node['status'] ?? {}) as { readonly nodeInfo?: { readonly containerRuntimeVersion?: unknown } };
  const version = nodeInfo?.containerRuntimeVersion;
  if (typeof version !== 'string' || version === '')
    throw new BerthError('UNAVAILABLE', `the Node ${nodeName} does not say yet which container runtime it has`);
  return version;
}

/** Whether the runtime reads CDI files without being told to: containerd from 2.0, CRI-O from 1.28. */
export function readsCdiFiles(runtime: string): boolean {
  const [, name = '', major = '', minor = ''] = /^([a-z-]+):\/\/v?(\d+)\.(\d+)/.exec(runtime) ?? [];
  const version = [Number(major), Number(minor)] as const;
  if (name === 'containerd') return version[0] >= 2;
  return name === 'cri-o' && (version[0] > 1 || version[1] >= 28);
}
