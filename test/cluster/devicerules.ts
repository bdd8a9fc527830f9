/**
 * Resources that a file of tests has beside those of the configuration: the ConfigMap `berth-devices`, which agents take over
 * while they run. What Nodes and agents then say of them is asked here too.
 */
import { afterAll } from 'vitest';
import type { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/node.ts';
import type { DeviceView } from '../../deviceplugin/views.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { inPod, kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import type { Counts } from '../kubelet/contract.ts';
import { everyAgentHas } from './agentfiles.ts';
import { eventually, podManifest } from './scene.ts';
import type { Scene } from './scene.ts';

const configMap = 'berth-devices';
const mounted = 'devices/rules.yaml';

/** One resource as in docs/configuration.md; what it may have is for the agent to say. */
export interface Rule {
  readonly name: string;
  readonly [key: string]: unknown;
}

export interface DeviceRules {
  /** Replaces all rules, and waits until every agent has the file before it. */
  set(...rules: readonly Rule[]): Promise<void>;
  /** The same with the text of the file, for what no list of rules is. */
  write(text: string): Promise<void>;
  /** Takes all rules away, and waits until no Node offers anything of them. */
  clear(): Promise<void>;
}

/** Rules for one file: whatever its tests leave of them is taken away after them. */
export function useDeviceRules(cluster: Cluster): DeviceRules {
  const names = new Set<string>();
  const write = async (text: string): Promise<void> => {
    const metadata = { name: configMap, namespace: berthNamespace };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'rules.yaml': text } };
    await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify(object) });
    await everyAgentHas(cluster, mounted, text);
  };
  const clear = async (): Promise<void> => {
    if (names.size === 0) return;
    await kubectl(cluster, ['delete', 'configmap', configMap, '-n', berthNamespace, '--ignore-not-found']);
    await everyAgentHas(cluster, mounted, '');
    for (const { name: node } of cluster.nodes) for (const name of names) await offered(cluster, node, name, 0);
    names.clear();
  };
  afterAll(clear);
  return {
    set: async (...rules) => {
      for (const { name } of rules) names.add(name);
      await write(`${JSON.stringify({ resources: rules }, undefined, 2)}\n`);
    },
    write,
    clear,
  };
}

/** Units of a resource by the Node object; undefined of a resource that was never there. */
export async function countsOf(cluster: Cluster, node: string, resource: string): Promise<Counts | undefined> {
  const answer = await kubectl(cluster, ['get', 'node', node, '-o', 'json']);
  const { status } = JSON.parse(answer) as { status: Record<keyof Counts, Readonly<Record<string, string>>> };
  const { capacity, allocatable } = { capacity: status.capacity[resource], allocatable: status.allocatable[resource] };
  if (capacity === undefined && allocatable === undefined) return undefined;
  return { capacity: Number(capacity ?? 0), allocatable: Number(allocatable ?? 0) };
}

/** Waits until the Node offers so many units of a resource; `capacity` where it differs. */
export async function offered(
  cluster: Cluster,
  node: string,
  resource: string,
  allocatable: number,
  capacity = allocatable,
): Promise<void> {
  let last: Counts | undefined;
  await eventually(`${node} to offer ${allocatable} of ${capacity} units of ${resource}`, 60, async () => {
    last = (await countsOf(cluster, node, resource)) ?? { capacity: 0, allocatable: 0 };
    return last.allocatable === allocatable && last.capacity === capacity ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it offers ${JSON.stringify(last)}`, { cause: error });
  });
}

/** The agent's pod on a node. */
export async function agentPod(cluster: Cluster, node: string): Promise<Pod> {
  const pods = await listPods(cluster, berthNamespace);
  const found = pods.find(
    ({ metadata, spec }) => spec.nodeName === node && metadata.labels?.['app.kubernetes.io/component'] === 'agent',
  );
  if (found === undefined) throw new Error(`${node} has no agent`);
  return found;
}

/** What `berth get devices` says on a node of one resource. */
export async function devicesOf(cluster: Cluster, node: ClusterNode, resource: string): Promise<readonly DeviceView[]> {
  const pod = await agentPod(cluster, node.name);
  const { stdout, stderr, code } = await inPod(cluster, pod, ['berth', 'get', 'devices', '-o', 'json']);
  if (code !== 0) throw new Error(`berth get devices on ${node.name}: ${stderr.trim()}`);
  const { items } = JSON.parse(stdout) as { items: readonly DeviceView[] };
  return items.filter((item) => item.resource === resource);
}

/** Has the agent of a node ask the kubelet who has what, as it does after each allocation: nobody tells it of a pod that has gone. */
export async function askAgain(scene: Scene, node: string): Promise<void> {
  await scene.apply(podManifest('asked', { node, limits: { 'berth.dev/fuse': 1 } }));
  await scene.ready('asked');
  await scene.remove('pod', 'asked');
}
