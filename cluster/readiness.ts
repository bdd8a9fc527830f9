/** Waiting until a cluster can be used; a component that dies meanwhile ends the wait with its last words. */
import { BerthError } from '../kit/errors.ts';
import { listNodes } from './api.ts';
import type { ApiServer } from './api.ts';
import { logTail } from './component.ts';
import type { ManagedNode } from './node.ts';
import { waitFor } from './wait.ts';

/** Far more than a busy machine needs; a component that dies is reported at once. */
const timeoutMs = 180_000;

/** Waits until the API server says it is ready. */
export async function waitForApiServer(api: ApiServer, controlPlane: ManagedNode): Promise<void> {
  await waitFor(
    'the API server to be ready',
    async () => {
      controlPlane.check();
      return (await api.get('/readyz'))?.status === 200 ? true : undefined;
    },
    { timeoutMs, intervalMs: 100, describe: () => `kube-apiserver: ${logTail(controlPlane.logs('kube-apiserver'))}` },
  );
}

/** Waits until these nodes have registered and got their pod ranges, and pods can be created in the default namespace. */
export async function waitForNodes(api: ApiServer, nodes: readonly ManagedNode[]): Promise<void> {
  await waitFor(
    'the nodes to register',
    async () => {
      for (const node of nodes) node.check();
      const registered = (await listNodes(api)) ?? [];
      const ready = registered.filter((node) => (node.spec.podCIDRs ?? []).length > 0);
      if (nodes.some(({ name }) => !ready.some(({ metadata }) => metadata.name === name))) return undefined;
      const account = await api.get('/api/v1/namespaces/default/serviceaccounts/default');
      return account?.status === 200 ? true : undefined;
    },
    {
      timeoutMs,
      intervalMs: 100,
      describe: () => nodes.map((node) => `kubelet of ${node.name}: ${logTail(node.logs('kubelet'))}`).join('\n'),
    },
  );
}

/** Errors: INTERNAL with what kubectl said. */
export function checkKubectl(result: { readonly code: number; readonly stderr: string }): void {
  if (result.code !== 0) throw new BerthError('INTERNAL', `kubectl failed: ${result.stderr.trim()}`);
}
