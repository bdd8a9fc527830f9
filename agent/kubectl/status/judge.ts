/** Whether Berth is well on every node, and if not, why. Pure: what could be seen in, a verdict for each part and node out. */
import { harmless } from '../../commands/harmless.ts';
import { agentsOf } from '../agents.ts';
import { matchesNode } from '../matching.ts';
import { conditionOf } from '../objects.ts';
import type { DaemonSetObject, NodeObject } from '../objects.ts';
import { seenOr } from '../seen.ts';
import type { Seen } from '../seen.ts';
import { partsOf } from './parts.ts';
import type { Known, NodeVerdict, Sight, Status } from './verdict.ts';

export function judge(sight: Sight): Status {
  const known = knownNodes(sight);
  const common = commonVersion(known);
  const nodes = known.map((each) => verdictOf(each, sight, common));
  const notes = notesOf(sight, known);
  const parts = partsOf(known, sight);
  const well = notes.length === 0 && nodes.every(({ state }) => state !== 'ill') && nodes.length > 0;
  return { well, parts, nodes, notes };
}

function knownNodes({ nodes, pods, daemonSets, berthNodes, asked }: Sight): readonly Known[] {
  const agents = agentsOf(seenOr(pods, []));
  const told = seenOr(berthNodes, []);
  const objects = seenOr(nodes, []);
  const names = new Set([...objects, ...told].map(({ metadata }) => metadata.name));
  for (const { node } of agents) names.add(node);
  const wanted = asked.length === 0 ? [...names] : asked;
  return wanted.toSorted().map((name): Known => {
    const node = objects.find(({ metadata }) => metadata.name === name);
    const agent = agents.find((each) => each.node === name);
    return {
      name,
      expected: agent !== undefined || isExpected(node, daemonSets),
      node,
      agent,
      told: told.find(({ metadata }) => metadata.name === name),
    };
  });
}

/** Whether a DaemonSet of agents is meant for the node. */
function isExpected(node: NodeObject | undefined, daemonSets: Seen<readonly DaemonSetObject[]>): boolean {
  if (node === undefined) return false;
  const sets = seenOr(daemonSets, undefined);
  if (sets === undefined) return node.metadata.labels?.['kubernetes.io/os'] !== 'windows';
  return sets.some(({ spec }) => matchesNode(spec?.template?.spec ?? {}, node) === undefined);
}

function verdictOf(known: Known, sight: Sight, common: string): NodeVerdict {
  const { name, expected, agent, told } = known;
  const { network, devices, storage } = told?.status ?? {};
  const reasons = expected ? reasonsOf(known, sight, common) : [];
  const missing = sight.asked.includes(name) && known.node === undefined && agent === undefined && told === undefined;
  const why = missing && 'seen' in sight.nodes ? ['there is no such node'] : reasons;
  const unseen = 'seen' in sight.pods ? 'none' : '<unknown>';
  return {
    node: name,
    state: why.length > 0 ? 'ill' : expected ? 'well' : 'off',
    agent: agent === undefined ? unseen : agent.why === undefined ? 'serves' : 'ill',
    version: told?.status?.version ?? '',
    network: network === undefined ? '' : `${network.attachments ?? 0} pods`,
    devices: devices?.healthy ?? '',
    storage: storage?.available ?? '',
    reasons: (why.length === 0 && !expected ? ['no DaemonSet of agents is for this node'] : why).map(harmless),
  };
}

function reasonsOf({ node, agent, told, expected }: Known, sight: Sight, common: string): readonly string[] {
  const ready = conditionOf(node, 'Ready');
  const seesPods = 'seen' in sight.pods;
  const said = conditionOf(told, 'Ready');
  const serves = agent?.why === undefined && agent !== undefined;
  const version = told?.status?.version ?? common;
  const { devices, storage } = told?.status ?? {};
  return [
    ...(ready === undefined || ready.status === 'True'
      ? []
      : [`the Node is not ready: ${ready.message ?? ready.reason ?? 'nobody says why'}`]),
    ...(seesPods && agent === undefined && expected ? ['no agent runs here'] : []),
    ...(agent?.why === undefined ? [] : [agent.why]),
    ...('seen' in sight.berthNodes && told === undefined
      ? ['its agent has not told how the node is: no BerthNode']
      : []),
    ...(said?.status === 'False' ? [said.message ?? said.reason ?? 'it is not ready'] : []),
    ...(said?.status === 'Unknown' && (serves || !seesPods) ? [said.message ?? 'its agent was stopped'] : []),
    ...(said?.status === 'True' && seesPods && !serves ? ['what its BerthNode says is old'] : []),
    ...(version === common ? [] : [`its agent is of version ${version}, most are of ${common}`]),
    ...(devices?.resources ?? [])
      .filter((each) => each.healthy < each.devices)
      .map((each) => `${each.devices - each.healthy} of ${each.devices} devices of ${each.name} are not healthy`),
    ...(storage?.pools ?? [])
      .filter(({ reason = '' }) => reason !== '')
      .map(({ name, reason }) => `the pool "${name}" is not well: ${reason ?? ''}`),
  ];
}

function commonVersion(known: readonly Known[]): string {
  const counts = Map.groupBy(known, ({ told }) => told?.status?.version ?? '');
  counts.delete('');
  const [most] = [...counts].toSorted(([a, those], [b, these]) => these.length - those.length || (a < b ? 1 : -1));
  return most?.[0] ?? '';
}

function notesOf({ nodes, pods, daemonSets, berthNodes }: Sight, known: readonly Known[]): readonly string[] {
  const notes: string[] = [];
  const note = (what: string, sight: Seen<unknown>): void => {
    if ('unseen' in sight) notes.push(`${what} could not be seen: ${sight.why}`);
  };
  note('Nodes', nodes);
  note("the agents' pods", pods);
  note("the agents' DaemonSets", daemonSets);
  if ('unseen' in berthNodes && berthNodes.unseen === 'absent')
    notes.push('the CRD berthnodes.berth.dev is not there, so no node tells how it is: apply daemonset/crds');
  else note('BerthNodes', berthNodes);
  const none = 'seen' in pods && 'seen' in daemonSets && pods.seen.length === 0 && daemonSets.seen.length === 0;
  if (none) notes.push('Berth is not installed in this cluster: there is neither an agent nor a DaemonSet of them');
  else if (known.length === 0) notes.push('there is no node to look at');
  return notes.map(harmless);
}
