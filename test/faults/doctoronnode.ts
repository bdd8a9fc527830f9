/** The doctor on a node of the cluster: inside the agent's container, and on the node itself. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../agent/doctor/finding.ts';
import { useCluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/node.ts';
import { berthNamespace, waitForAgents } from '../../scripts/deploy.ts';
import { inPod, kubectl, listPods } from '../../scripts/kubectl.ts';
import { eventually } from '../cluster/scene.ts';
import { clusterName, manifests } from '../cluster/setup.ts';

export const cluster = useCluster(clusterName);
export const [node] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
/** The built program on the node itself, outside of every container. */
export const folder = '/opt/berth-doctor';
export const onNode = (path: string): string => join(node.rootDir, path);

export type Look = () => Promise<readonly Finding[]>;

function findingsOf({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): readonly Finding[] {
  if (!stdout.startsWith('{')) throw new Error(`the doctor says nothing: ${stderr}`);
  return (JSON.parse(stdout) as { readonly findings: readonly Finding[] }).findings;
}

/** As an administrator on the node, with sections of the NodeConfig that differ from the cluster's. */
export const outside =
  (change: (config: string) => string = (config) => config, program = 'berth.mjs'): Look =>
  async () => {
    const base = await readFile(join(manifests, 'config.yaml'), 'utf8');
    const agent = `agent:\n  nodeName: ${node.name}\n  kubeconfig: /etc/kubernetes/admin.conf\n`;
    await writeFile(onNode(`${folder}/config.yaml`), change(base.replace('agent:\n', agent)));
    const words = [`${folder}/bin/node`, `${folder}/${program}`, 'doctor', '--config', `${folder}/config.yaml`];
    return findingsOf(await node.exec([...words, '-o', 'json']));
  };

/** In the agent's container on that node. */
export const inside: Look = async () => {
  const pods = await listPods(cluster, berthNamespace);
  const agent = pods.find(({ spec }) => spec.nodeName === node.name);
  if (agent === undefined) throw new Error('no agent is on the node');
  return findingsOf(await inPod(cluster, agent, ['berth', 'doctor', '-o', 'json']));
};

export async function finding(id: string, look: Look): Promise<Finding> {
  const found = (await look()).find((each) => each.id === id);
  if (found === undefined) throw new Error(`the doctor does not ask for ${id}`);
  return found;
}

/** Waits until a probe says so, because somebody has to learn of the change first. */
export async function until(id: string, look: Look, severity: Finding['severity']): Promise<Finding> {
  return await eventually(`${id} to be ${severity}`, 90, async () => {
    const found = await finding(id, look);
    return found.severity === severity ? found : undefined;
  });
}

export async function restartAgents(): Promise<void> {
  await kubectl(cluster, ['rollout', 'restart', '-n', berthNamespace, 'daemonset/berth']);
  await waitForAgents(cluster);
}

export const sh = async (line: string): Promise<string> => {
  const { code, stdout, stderr } = await node.exec(['sh', '-c', line]);
  if (code !== 0) throw new Error(`${line}: ${stderr}`);
  return stdout.trim();
};
