/** Waiting until what was applied runs; what does not is told with the reasons Kubernetes wrote on pods and claims. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { BerthError } from '../../kit/errors.ts';
import { berthNamespace } from '../deploy.ts';
import { eventsOf, isSettled, kubectl, listClaims, listPods } from '../kubectl.ts';
import type { Pod } from '../kubectl.ts';

interface Workload {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string; readonly generation?: number };
  readonly spec: { readonly replicas?: number; readonly completions?: number };
  readonly status: {
    readonly readyReplicas?: number;
    readonly succeeded?: number;
    readonly numberReady?: number;
    readonly desiredNumberScheduled?: number;
    readonly observedGeneration?: number;
  };
}

const systemNamespaces: readonly string[] = [berthNamespace, 'kube-system'];

/** The pods that are neither Berth's nor Kubernetes' own. */
export async function userPods(cluster: Cluster): Promise<readonly Pod[]> {
  return (await listPods(cluster)).filter((pod) => !systemNamespaces.includes(pod.metadata.namespace));
}

/** Resolves with the pods when all workloads have theirs and all pods are ready or done; throws TIMED_OUT with the reasons. */
export async function waitUntilSettled(
  cluster: Cluster,
  seconds: number,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const [pods, unfinished] = await Promise.all([userPods(cluster), unfinishedWorkloads(cluster)]);
    const waiting = pods.filter((pod) => !isSettled(pod));
    if (pods.length > 0 && waiting.length === 0 && unfinished.length === 0) return pods;
    if (performance.now() > end || signal.aborted) {
      const reasons = await reasonsOf(cluster, waiting);
      const missing = [...unfinished, ...reasons].map((reason) => `  ${reason}`).join('\n');
      throw new BerthError('TIMED_OUT', `after ${seconds} s this does not run:\n${missing || '  no pod was created'}`);
    }
    // The API has no "all of these" to wait for; each round is one list.
    await sleep(250, undefined, { signal }).catch(() => undefined);
  }
}

async function unfinishedWorkloads(cluster: Cluster): Promise<readonly string[]> {
  const kinds = 'deployments,statefulsets,daemonsets,jobs';
  const { items } = JSON.parse(await kubectl(cluster, ['get', kinds, '-A', '-o', 'json'])) as { items: Workload[] };
  return items
    .filter(({ metadata }) => !systemNamespaces.includes(metadata.namespace))
    .filter((workload) => haveOf(workload) < wantOf(workload))
    .map((w) => `${w.kind} ${w.metadata.namespace}/${w.metadata.name}: ${haveOf(w)} of ${wantOf(w)}`);
}

function wantOf({ kind, spec, status }: Workload): number {
  if (kind === 'Job') return spec.completions ?? 1;
  // A DaemonSet that its controller has not looked at yet wants nothing, but will.
  if (kind === 'DaemonSet') return status.observedGeneration === undefined ? 1 : (status.desiredNumberScheduled ?? 1);
  return spec.replicas ?? 1;
}

function haveOf({ kind, status }: Workload): number {
  if (kind === 'Job') return status.succeeded ?? 0;
  if (kind === 'DaemonSet') return status.numberReady ?? 0;
  return status.readyReplicas ?? 0;
}

/** The newest warning of each pod that does not run, and of each claim that is not bound. */
async function reasonsOf(cluster: Cluster, pods: readonly Pod[]): Promise<readonly string[]> {
  const claims = (await listClaims(cluster)).filter((claim) => claim.status.phase !== 'Bound');
  const objects = [
    ...pods.map(({ metadata, status }) => ({ kind: 'Pod', metadata, state: status.message ?? status.phase })),
    ...claims.map(({ metadata, status }) => ({ kind: 'PersistentVolumeClaim', metadata, state: status.phase })),
  ];
  return Promise.all(
    objects.map(async ({ kind, metadata, state }) => {
      const events = await eventsOf(cluster, kind, metadata.namespace, metadata.name);
      const last = events.findLast((event) => event.type === 'Warning') ?? events.at(-1);
      const reason = last === undefined ? state : `${last.reason}: ${last.message}`;
      return `${kind} ${metadata.namespace}/${metadata.name}: ${reason}`;
    }),
  );
}
