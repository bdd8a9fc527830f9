/** kubectl with its answers as objects: the few shapes of the Kubernetes API that the scripts and cluster tests look at. */
import type { Cluster } from '../cluster/cluster.ts';
import type { CommandOptions, CommandResult } from '../cluster/command.ts';
import { BerthError } from '../kit/errors.ts';

interface Meta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly deletionTimestamp?: string;
}

export interface Container {
  readonly name: string;
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly volumeDevices?: readonly { readonly name: string; readonly devicePath: string }[];
}

export interface Pod {
  readonly metadata: Meta & { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly nodeName?: string;
    /** In the network of its node. */
    readonly hostNetwork?: boolean;
    readonly containers: readonly Container[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly persistentVolumeClaim?: { readonly claimName: string };
    }[];
  };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    /** One of each family of a dual-stack cluster. */
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface Claim {
  readonly metadata: Meta;
  readonly spec: { readonly volumeName?: string; readonly volumeMode?: string };
  readonly status: { readonly phase: string; readonly capacity?: { readonly storage: string } };
}

interface KubernetesEvent {
  readonly metadata: Meta;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string; readonly namespace?: string };
}

/** Runs kubectl and returns its output; throws UNAVAILABLE with what it said when it failed. */
export async function kubectl(cluster: Cluster, args: readonly string[], options?: CommandOptions): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(args, options);
  if (code !== 0) throw new BerthError('UNAVAILABLE', `kubectl ${args.slice(0, 3).join(' ')}: ${stderr.trim()}`);
  return stdout;
}

async function list<T>(cluster: Cluster, kind: string, scope: readonly string[]): Promise<readonly T[]> {
  const answer = await kubectl(cluster, ['get', kind, ...scope, '-o', 'json']);
  return (JSON.parse(answer) as { readonly items: readonly T[] }).items;
}

/** Pods of a namespace, or of all. */
export const listPods = (cluster: Cluster, namespace?: string): Promise<readonly Pod[]> =>
  list<Pod>(cluster, 'pods', scopeOf(namespace));

/** Claims of a namespace, or of all. */
export const listClaims = (cluster: Cluster, namespace?: string): Promise<readonly Claim[]> =>
  list<Claim>(cluster, 'persistentvolumeclaims', scopeOf(namespace));

/** Events about one object, oldest first. */
export async function eventsOf(
  cluster: Cluster,
  kind: string,
  namespace: string,
  name: string,
): Promise<readonly KubernetesEvent[]> {
  const selector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const scope = ['-n', namespace, '--field-selector', selector, '--sort-by', '.metadata.creationTimestamp'];
  return list<KubernetesEvent>(cluster, 'events', scope);
}

/** Runs a command in the (first) container of a pod; resolves with output and exit code. */
export function inPod(
  cluster: Cluster,
  pod: Pod,
  command: readonly string[],
  container?: string,
): Promise<CommandResult> {
  const into = container === undefined ? [] : ['-c', container];
  return cluster.kubectl(['exec', '-n', pod.metadata.namespace, pod.metadata.name, ...into, '--', ...command]);
}

/** Whether the pod serves now, or has done its work. */
export function isSettled(pod: Pod): boolean {
  const ready = pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return (ready && pod.metadata.deletionTimestamp === undefined) || pod.status.phase === 'Succeeded';
}

function scopeOf(namespace: string | undefined): readonly string[] {
  return namespace === undefined ? ['-A'] : ['-n', namespace];
}
