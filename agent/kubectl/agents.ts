/** The agents of a cluster: found by the labels of their pods, and asked by `kubectl exec`, many nodes at a time. */
import { mapBounded } from '../../kit/bounded.ts';
import { messageOf } from '../../kit/errors.ts';
import { harmless } from '../commands/harmless.ts';
import type { Kubectl } from './kubectl.ts';
import { isObjectName } from './kubectl.ts';
import type { ContainerStatus, PodObject } from './objects.ts';
import { listObjects, missingRight } from './seen.ts';
import type { Seen } from './seen.ts';

export interface Agent {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  /** One that runs, in which `berth` can be executed; undefined when none does. */
  readonly container: string | undefined;
  /** All that run. */
  readonly containers: readonly string[];
  /** Why it does not serve; undefined when it does. */
  readonly why: string | undefined;
}

/** The whole agent runs in `berth`, or each of its parts in one; `berth get` in any of them asks all parts. */
const containerNames = ['berth', 'network', 'devices', 'storage'];

/** Pods of agents in all namespaces, or in this one where the user may not list all. */
export async function listAgentPods(kubectl: Kubectl, namespace: string): Promise<Seen<readonly PodObject[]>> {
  const named = ['pods', '-l', 'app.kubernetes.io/name=berth'];
  const all = await listObjects<PodObject>(kubectl, [...named, '--all-namespaces']);
  if ('seen' in all || all.unseen !== 'forbidden') return all;
  const some = await listObjects<PodObject>(kubectl, [...named, `--namespace=${namespace}`]);
  return 'seen' in some ? some : all;
}

/** One for each node that has any, by node: of several, as while one is replaced, the one that serves. */
export function agentsOf(pods: readonly PodObject[]): readonly Agent[] {
  const mine = pods.filter(({ metadata, spec }) => {
    const component = metadata.labels?.['app.kubernetes.io/component'] ?? '';
    return /^agent(-|$)/.test(component) && spec?.nodeName !== undefined && isObjectName(metadata.name);
  });
  const byNode = Map.groupBy(mine, ({ spec }) => spec?.nodeName ?? '');
  const chosen = [...byNode].map(([node, candidates]) => {
    const [best] = candidates
      .map((pod) => ({ pod, agent: agentOf(node, pod) }))
      .toSorted((a, b) => rankOf(a.pod, a.agent) - rankOf(b.pod, b.agent));
    return best?.agent;
  });
  return chosen.filter((agent) => agent !== undefined).toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

function rankOf({ metadata }: PodObject, { why }: Agent): number {
  return (why === undefined ? 0 : 2) + (metadata.deletionTimestamp === undefined ? 0 : 1);
}

function agentOf(node: string, pod: PodObject): Agent {
  const statuses = (pod.status?.containerStatuses ?? []).filter(({ name }) => containerNames.includes(name));
  const containers = statuses.filter(({ state }) => state?.running !== undefined).map(({ name }) => name);
  return {
    node,
    namespace: pod.metadata.namespace ?? 'default',
    pod: pod.metadata.name,
    container: containers[0],
    containers,
    why: whyNotServing(pod, statuses),
  };
}

function whyNotServing({ metadata, status }: PodObject, statuses: readonly ContainerStatus[]): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'its agent is being stopped';
  if (statuses.length === 0) return `its agent is ${status?.phase ?? 'Unknown'}${tail(status?.message)}`;
  const ill = statuses.find(({ ready }) => ready !== true);
  if (ill === undefined) return undefined;
  const { waiting, terminated, running } = ill.state ?? {};
  const stopped = waiting ?? terminated;
  if (stopped !== undefined)
    return `the container ${ill.name} of its agent does not run: ${stopped.reason ?? 'Unknown'}${tail(stopped.message)}`;
  return running === undefined ? `its agent has not started` : `its agent runs, but is not ready`;
}

function tail(message: string | undefined): string {
  return message === undefined || message === '' ? '' : `: ${harmless(message).slice(0, 300)}`;
}

/** The agent as its parts: one for each container that runs, where it has several. */
export function partsOfAgent(agent: Agent): readonly Agent[] {
  return agent.containers.length < 2 ? [agent] : agent.containers.map((container) => ({ ...agent, container }));
}

/** What a node's agent answered, or why it did not. */
export type Told<T> = { readonly node: string } & ({ readonly answer: T } | { readonly error: string });

const atOnce = 16;

/**
 * Has each agent execute `berth …` and reads its JSON. Some commands say by their exit code what they found, and print it all the
 * same: `codes` are those that are an answer. Never rejects but when there is no kubectl.
 */
export async function askAgents<T>(
  kubectl: Kubectl,
  agents: readonly Agent[],
  command: readonly string[] | ((agent: Agent) => readonly string[]),
  { codes = [0], ms = 30_000 }: { readonly codes?: readonly number[]; readonly ms?: number } = {},
): Promise<readonly Told<T>[]> {
  return await mapBounded(agents, atOnce, async (agent): Promise<Told<T>> => {
    const { node, container } = agent;
    if (container === undefined) return { node, error: agent.why ?? 'its agent does not run' };
    try {
      const ran = await kubectl(
        execArguments(agent, container, typeof command === 'function' ? command(agent) : command),
        { ms },
      );
      if (codes.includes(ran.code) && ran.stdout.trim() !== '') return parsed(node, ran.stdout);
      return { node, error: whyRefused(ran.stderr, ran.code) };
    } catch (error) {
      return { node, error: messageOf(error) };
    }
  });
}

function parsed<T>(node: string, text: string): Told<T> {
  try {
    return { node, answer: JSON.parse(text) as T };
  } catch {
    return { node, error: 'its agent answered what is no JSON; is it of another version?' };
  }
}

export function execArguments(agent: Agent, container: string, command: readonly string[]): readonly string[] {
  return ['exec', `--namespace=${agent.namespace}`, agent.pod, `--container=${container}`, '--', 'berth', ...command];
}

/** kubectl adds a line of its own about the exit code. */
export function whyRefused(stderr: string, code: number): string {
  const right = missingRight(stderr);
  if (right !== undefined) return `you may not ${right}`;
  const lines = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(command terminated with exit|\()/.test(line));
  const said = harmless(lines.at(-1) ?? '').replace(/^(berth|error): /, '');
  return said === '' ? `its agent answered with exit code ${code}` : said.slice(0, 500);
}
