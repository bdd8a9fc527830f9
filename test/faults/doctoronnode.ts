/** The doctor on a node of the cluster: inside the agent's container, and on the node itself. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { catalogue } from '../../agent/doctor/catalogue.ts';
import type { Finding } from '../../agent/doctor/finding.ts';
import { useCluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/node.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { inPod, kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { eventually } from '../cluster/scene.ts';
import { clusterName, manifests } from '../cluster/setup.ts';

export const cluster = useCluster(clusterName);
export const [node] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
/** The built program on the node itself, outside of every container. */
export const folder = '/opt/berth-doctor';
export const onNode = (path: string): string => join(node.rootDir, path);

/** The built program goes onto the node before the file's tests, and from it after them. */
export function useDoctorOnNode(): void {
  beforeAll(async () => {
    await cp(join(import.meta.dirname, '../../dist'), onNode(folder), { recursive: true });
  });
  afterAll(async () => {
    await rm(onNode(folder), { recursive: true });
  });
}

/** One look at the node: with a group of probes, at nothing else. */
export type Look = (group?: string) => Promise<readonly Finding[]>;

function skipping(group: string | undefined): readonly string[] {
  const others = catalogue.map(({ name }) => name).filter((name) => name !== group);
  return group === undefined ? [] : ['--skip', ...others];
}

function findingsOf({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): readonly Finding[] {
  if (!stdout.startsWith('{')) throw new Error(`the doctor says nothing: ${stderr}`);
  return (JSON.parse(stdout) as { readonly findings: readonly Finding[] }).findings;
}

interface Outside {
  /** Of the cluster's NodeConfig. */
  readonly change?: (config: string) => string;
  /** Default: that of this version. */
  readonly program?: string;
  /** What starts it, with its arguments. */
  readonly before?: readonly string[];
}

/** As an administrator on the node. */
export const outside =
  ({ change = (config) => config, program = 'berth.mjs', before = [] }: Outside = {}): Look =>
  async (group) => {
    const base = await readFile(join(manifests, 'config.yaml'), 'utf8');
    const agent = `agent:\n  nodeName: ${node.name}\n  kubeconfig: /etc/kubernetes/admin.conf\n`;
    await writeFile(onNode(`${folder}/config.yaml`), change(base.replace('agent:\n', agent)));
    const words = [...before, `${folder}/bin/node`, `${folder}/${program}`, 'doctor', '-o', 'json', '--config'];
    return findingsOf(await node.exec([...words, `${folder}/config.yaml`, ...skipping(group)]));
  };

/** In a pod that has the program. */
export const within =
  (pod: Pod): Look =>
  async (group) =>
    findingsOf(await inPod(cluster, pod, ['berth', 'doctor', '-o', 'json', ...skipping(group)]));

/** In the agent's container on that node. */
export const inside: Look = async (group) => {
  const pods = await listPods(cluster, berthNamespace);
  const agent = pods.find(({ spec }) => spec.nodeName === node.name);
  if (agent === undefined) throw new Error('no agent is on the node');
  return await within(agent)(group);
};

export async function finding(id: string, look: Look): Promise<Finding> {
  const found = (await look(id.split('.')[0])).find((each) => each.id === id);
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

/** A probe that says that something is wrong, once it is. */
export interface Broken {
  readonly id: string;
  readonly how: string;
  readonly look: Look;
  /** Default: it is the NodeConfig that is wrong, or the program. */
  readonly breaking?: () => Promise<unknown>;
  readonly severity: Finding['severity'];
  readonly says: RegExp;
  readonly fix: RegExp;
  /** Default: the finding's own command, in a shell on the node. */
  readonly mending?: (fix: string) => Promise<unknown>;
  /** Default: `look`. */
  readonly after?: Look;
  /** Leaves the cluster to the tests that follow as it was, however this one ended: also where it has done so before. */
  readonly undo?: () => Promise<unknown>;
}

/** Where there is nothing to be done on the node. */
export const nothing = (): Promise<void> => Promise.resolve();

export async function breakAndMend(broken: Broken): Promise<void> {
  const { id, look, breaking = nothing, severity, says, fix, mending = sh, after = look, undo = nothing } = broken;
  onTestFinished(async () => {
    await undo();
  });
  await breaking();
  const ill = await until(id, look, severity);
  expect(ill.message).toMatch(says);
  expect(ill.fix).toMatch(fix);
  await mending(ill.fix ?? '');
  await until(id, after, 'pass');
}

/** Runs the kubectl command that a fix begins with, in the folder of the repository, as who reads it would. */
export async function operate(fix: string): Promise<void> {
  const [command = ''] = fix.split(/;| \(/);
  const [program, ...words] = command.split(' ');
  expect(program).toBe('kubectl');
  const repository = join(import.meta.dirname, '../..');
  await kubectl(
    cluster,
    words.map((word) => (word.startsWith('daemonset/') && words.includes('apply') ? join(repository, word) : word)),
  );
}

/** Gives the cluster back an object (`kind/name`) that a test took away and did not give back. */
export async function unlessThere(object: string, command: string): Promise<void> {
  if ((await cluster.kubectl(['get', object])).code !== 0) await operate(command);
}

export const sh = async (line: string): Promise<string> => {
  const { code, stdout, stderr } = await node.exec(['sh', '-c', line]);
  if (code !== 0) throw new Error(`${line}: ${stderr}`);
  return stdout.trim();
};
