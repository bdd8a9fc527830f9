/** What is left of Berth in a cluster, and how each thing goes away. Pure: what was seen in, things and blind spots out. */
import type { NodeObject, PodObject } from '../objects.ts';
import { conditionOf } from '../objects.ts';
import type { Seen } from '../seen.ts';
import { shownSort } from './sorts.ts';
import type { Leftover, NamedObject, Sort } from './sorts.ts';

export interface LeftoverSight {
  readonly sorts: readonly { readonly sort: Sort; readonly objects: Seen<readonly NamedObject[]> }[];
  readonly nodes: Seen<readonly NodeObject[]>;
  readonly agents: Seen<readonly PodObject[]>;
  /** Pods of daemonset/uninstall. */
  readonly removers: Seen<readonly PodObject[]>;
}

export interface Leftovers {
  readonly found: readonly Leftover[];
  /** Sentences about what could not be looked at. */
  readonly unseen: readonly string[];
}

export function leftoversOf(sight: LeftoverSight): Leftovers {
  const unseen: string[] = [];
  const seen = <T>(what: string, sighted: Seen<readonly T[]>): readonly T[] => {
    if ('seen' in sighted) return sighted.seen;
    // A kind that the cluster does not know has no objects.
    if (sighted.unseen !== 'absent') unseen.push(`${what} could not be seen: ${sighted.why}`);
    return [];
  };
  const objects = sight.sorts.flatMap(({ sort, objects: sighted }) =>
    seen(sort.kind, sighted)
      .filter(sort.isOurs)
      .map((object) => shownSort(sort, object)),
  );
  const nodes = seen('Nodes', sight.nodes);
  const agents = seen("the agents' pods", sight.agents);
  const removers = seen('the pods of daemonset/uninstall', sight.removers);
  const found = [...objects, ...nodes.flatMap(ofNode), ...onNodes(nodes, agents, removers, unseen)];
  return { found, unseen };
}

/** The list is merged by the types of its conditions. */
const withoutNetwork = JSON.stringify({ status: { conditions: [{ type: 'NetworkUnavailable', $patch: 'delete' }] } });

function ofNode(node: NodeObject): readonly Leftover[] {
  const { name, labels = {} } = node.metadata;
  const what = `node/${name}`;
  const network = conditionOf(node, 'NetworkUnavailable');
  const resources = Object.entries(node.status?.capacity ?? {}).filter(([key]) => key.startsWith('berth.dev/'));
  return [
    ...(node.spec?.taints ?? [])
      .filter(({ key }) => key.startsWith('berth.dev/'))
      .map(({ key, effect }) => ({
        what,
        text: `the taint ${key}:${effect}`,
        remedy: `kubectl taint node ${name} ${key}-`,
      })),
    ...(network?.reason?.startsWith('Berth') === true
      ? [
          {
            what,
            text: `the condition NetworkUnavailable=${network.status} (${network.reason})`,
            remedy: `kubectl patch node ${name} --subresource=status -p '${withoutNetwork}'`,
          },
        ]
      : []),
    ...Object.keys(labels)
      .filter((key) => key === 'csi.berth.dev/node')
      .map((key) => ({ what, text: `the label ${key}`, remedy: `kubectl label node ${name} ${key}-` })),
    ...resources
      .filter(([, count]) => count !== '0')
      .map(([key, count]) => ({
        what,
        text: `the resource ${key}: ${count}`,
        remedy: 'the kubelet forgets it five minutes after the agent has gone',
      })),
  ];
}

function onNodes(
  nodes: readonly NodeObject[],
  agents: readonly PodObject[],
  removers: readonly PodObject[],
  unseen: string[],
): readonly Leftover[] {
  return nodes.flatMap(({ metadata: { name } }): readonly Leftover[] => {
    const what = `node/${name}`;
    const on = ({ spec }: PodObject): boolean => spec?.nodeName === name;
    if (agents.some(on))
      return [{ what, text: 'an agent that runs', remedy: 'remove the DaemonSet: kubectl delete -k daemonset/' }];
    const remover = removers.find(on);
    if (remover === undefined) {
      unseen.push(
        `${name} could not be looked at: neither an agent nor daemonset/uninstall runs there; kubectl apply -k daemonset/uninstall cleans it`,
      );
      return [];
    }
    const status = remover.status?.initContainerStatuses?.[0];
    const [now, before] = [status?.state, status?.lastState];
    if (conditionOf(remover, 'Ready')?.status === 'True') return keptOn(name, now?.terminated?.message ?? '');
    // Between two runs the kubelet says only that it waits; why, the run before has said.
    const ended = (now?.terminated ?? before?.terminated)?.message?.trim() ?? '';
    const why = ended === '' ? (now?.waiting?.message ?? now?.waiting?.reason ?? 'it is at work') : ended;
    return [{ what, text: `the network: daemonset/uninstall has not removed it: ${why}`, remedy: 'do what it says' }];
  });
}

/** Only what can be nothing but a path of Berth's: anybody who may make pods can write such a line, and its path ends in a command. */
const keptLine = /^kept (\/(?:var\/lib|run)\/berth(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+): (.+)$/gm;

/** What `berth uninstall` has left on a node, by its own words (agent/commands/kept.ts). */
function keptOn(node: string, message: string): readonly Leftover[] {
  return [...message.matchAll(keptLine)].map(([, path = '', held = '']) => ({
    what: `node/${node}`,
    text: `${path}: ${held}`,
    remedy: `kept; when nobody wants it any more, on the node: rm -rf ${path}`,
  }));
}
