/** What Berth's network has left on a node and in which order it goes. Pure: facts about the node in, steps out. */
import type { LinkState, RouteState } from '../../linux/rtnetlink/rtnetlink.ts';
import { doomedGroup, keyOfAlias, linkGroup, tunnelGroup } from '../attachment.ts';
import { routeMaker } from '../nodes/noderoutes.ts';
import { tunnelName } from '../nodes/tunnel.ts';

export interface Installed {
  /** Whether an agent answers on the socket of the CNI executable. */
  readonly agentRuns: boolean;
  /** Number of attachments whose containers are not deleted. */
  readonly attachments: number;
  readonly links: readonly LinkState[];
  /** Of both families. */
  readonly routes: readonly RouteState[];
  readonly hasTable: boolean;
  /** Files and folders that are there and ours, in the order in which they go. */
  readonly paths: readonly string[];
}

export type Removal =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'link'; readonly name: string; readonly index: number; readonly container: string }
  | {
      readonly kind: 'route';
      readonly destination: string;
      readonly index: number;
      readonly link: string;
      readonly via: string;
    }
  | { readonly kind: 'table'; readonly name: string };

/** Why it must not be done, a sentence for each; empty when it can. `force` is for the pods of the node only. */
export function obstacles({ agentRuns, attachments }: Installed, force: boolean): readonly string[] {
  return [
    // It would put everything back within a second.
    ...(agentRuns
      ? ['the agent still runs on this node: delete the DaemonSet first (kubectl delete -k daemonset/)']
      : []),
    ...(attachments > 0 && !force
      ? [
          `${attachments} ${attachments === 1 ? 'container' : 'containers'} of this node with a network from Berth: delete their pods first, or take it from them with --force`,
        ]
      : []),
  ];
}

/** First the files, so that the runtime sends no more pods; then what leads to pods, and the table when nothing does any more. */
export function planUninstall({ links, routes, hasTable, paths }: Installed, tableName: string): readonly Removal[] {
  const ours = links.filter(isOurs);
  const gone = new Set(ours.map(({ index }) => index));
  const nameOf = new Map(links.map(({ index, name }) => [index, name]));
  return [
    ...paths.map((path) => ({ kind: 'file', path }) as const),
    ...ours.map(({ name, index, alias }) => ({ kind: 'link', name, index, container: containerOf(alias) }) as const),
    // Those over a link that goes do so with it.
    ...routes
      .filter(({ protocol, index }) => protocol === routeMaker && !gone.has(index))
      .map(
        ({ destination, index, via = '' }) =>
          ({ kind: 'route', destination, index, link: nameOf.get(index) ?? '', via }) as const,
      ),
    ...(hasTable ? [{ kind: 'table', name: tableName } as const] : []),
  ];
}

/** A number can be anybody's, and so can a name: a link is ours by both, or by the alias that we alone give. */
function isOurs({ name, group, alias, kind }: LinkState): boolean {
  if (group === tunnelGroup) return name === tunnelName && kind === 'vxlan';
  // The second has what a removal was interrupted at.
  if (![linkGroup, doomedGroup].includes(group) || (kind !== 'veth' && kind !== 'ifb')) return false;
  return keyOfAlias(alias) !== undefined || (alias === '' && /^(veth|ifb)[0-9a-f]{11}$/.test(name));
}

function containerOf(alias: string): string {
  return keyOfAlias(alias)?.containerID ?? '';
}

/** For people: `link veth0123456789a of container abc`. */
export function describeRemoval(removal: Removal): string {
  switch (removal.kind) {
    case 'file':
      return removal.path;
    case 'link':
      return `link ${removal.name}${removal.container === '' ? '' : ` of container ${removal.container}`}`;
    case 'route':
      return `route ${removal.destination}${removal.via === '' ? '' : ` via ${removal.via}`} dev ${removal.link}`;
    case 'table':
      return `nft table inet ${removal.name}`;
  }
}
