/** Which agents a command asks: all, or those of named or labelled nodes. */
import { BerthError } from '../../kit/errors.ts';
import { agentsOf, listAgentPods } from './agents.ts';
import type { Agent } from './agents.ts';
import type { Session } from './command.ts';
import type { NodeObject } from './objects.ts';
import { listObjects } from './seen.ts';

export interface NodeChoice {
  /** Names; all nodes when it is empty. */
  readonly nodes?: readonly string[];
  /** Labels of nodes, as for `kubectl -l`. */
  readonly selector?: string;
}

/** By node. Throws NOT_FOUND when there is none, or none on a node that was named; UNAVAILABLE where a right is missing. */
export async function chooseAgents(
  { kubectl, berthNamespace }: Pick<Session, 'kubectl' | 'berthNamespace'>,
  { nodes = [], selector }: NodeChoice,
): Promise<readonly Agent[]> {
  const pods = await listAgentPods(kubectl, berthNamespace);
  if ('unseen' in pods) throw new BerthError('UNAVAILABLE', `the agents cannot be found: ${pods.why}`);
  const agents = agentsOf(pods.seen);
  if (agents.length === 0)
    throw new BerthError(
      'NOT_FOUND',
      'there are no agents of Berth in this cluster (pods with app.kubernetes.io/name=berth)',
    );
  const labelled = selector === undefined ? undefined : await nodesWith(kubectl, selector);
  const without = nodes.filter((name) => !agents.some(({ node }) => node === name));
  if (without.length > 0) throw new BerthError('NOT_FOUND', `no agent runs on ${without.join(', ')}`);
  return agents.filter(({ node }) => (nodes.length === 0 || nodes.includes(node)) && labelled?.has(node) !== false);
}

async function nodesWith(kubectl: Session['kubectl'], selector: string): Promise<ReadonlySet<string>> {
  const nodes = await listObjects<NodeObject>(kubectl, ['nodes', `--selector=${selector}`]);
  if ('unseen' in nodes) throw new BerthError('UNAVAILABLE', `nodes cannot be chosen by their labels: ${nodes.why}`);
  return new Set(nodes.seen.map(({ metadata }) => metadata.name));
}
