/** What is left of the agent before: compares records with the kernel and says what to keep, undo and repair. Pure. */
import type { NamespaceSighting } from '../linux/netns.ts';
import type { RouteRequest } from '../linux/rtnetlink/requests.ts';
import type { LinkState, NeighbourState, RouteState, ShapeState } from '../linux/rtnetlink/rtnetlink.ts';
import { hostNetwork } from './addresses.ts';
import { keyOfAlias, keyText, linkAlias, linkGroup, recordName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { limitRequests } from './limits.ts';
import { reachRequests } from './plan.ts';
import type { Sources } from './plan.ts';

export interface RecoveryInput {
  readonly attachments: readonly Attachment[];
  /** Names of files that are no records, or records that this agent cannot read. */
  readonly unreadable: readonly string[];
  /** Of the node's namespace: "ours" is what this namespace has, since several nodes may share one kernel. */
  readonly links: readonly LinkState[];
  readonly routes: readonly RouteState[];
  readonly neighbours: readonly NeighbourState[];
  readonly shapes: readonly ShapeState[];
  /** What is at the path of a namespace now. */
  readonly look: (path: string) => NamespaceSighting;
  readonly sources: Sources;
}

export interface Release {
  readonly attachment: Attachment;
  /** Those of its links that are still there. */
  readonly links: readonly LinkState[];
  readonly reason: string;
}

export interface RecoveryPlan {
  readonly keep: readonly Attachment[];
  readonly release: readonly Release[];
  /** Links of our group that no attachment owns. */
  readonly orphans: readonly LinkState[];
  /** Links of our group whose record is there and cannot be read: their pods may live, so they are left alone. */
  readonly doubtful: readonly LinkState[];
  /** By attachment: addresses that the kernel leads to it and no record tells. Nobody else may have them. */
  readonly held: ReadonlyMap<string, readonly string[]>;
  /** Routes and neighbours that kept attachments lack. Nothing that is there is touched: no packet may notice. */
  readonly repairs: readonly RouteRequest[];
}

const ourKinds: readonly string[] = ['veth', 'ifb'];

function isOurs(link: LinkState): boolean {
  return link.group === linkGroup && ourKinds.includes(link.kind) && /^(veth|ifb)[0-9a-f]{11}$/.test(link.name);
}

export function planRecovery(input: RecoveryInput): RecoveryPlan {
  const ours = new Map(input.links.filter(isOurs).map((link) => [link.name, link]));
  const keep: Attachment[] = [];
  const release: Release[] = [];
  for (const attachment of input.attachments) {
    const link = ours.get(attachment.host.name);
    const reason = reasonToRelease(attachment, link, input.look);
    if (reason === undefined) keep.push(attachment);
    else release.push({ attachment, links: namesOf(attachment).flatMap((name) => ours.get(name) ?? []), reason });
  }
  const owned = new Set(input.attachments.flatMap(namesOf));
  const unowned = [...ours.values()].filter((link) => !owned.has(link.name));
  const unreadable = new Set(input.unreadable);
  const doubtful = unowned.filter(({ alias }) => {
    const key = keyOfAlias(alias);
    return key !== undefined && unreadable.has(recordName(key));
  });
  return {
    keep,
    release,
    orphans: unowned.filter((link) => !doubtful.includes(link)),
    doubtful,
    held: heldAddresses(keep, doubtful, input.routes),
    repairs: keep.flatMap((attachment) => repairsOf(attachment, input)),
  };
}

function heldAddresses(
  keep: readonly Attachment[],
  doubtful: readonly LinkState[],
  routes: readonly RouteState[],
): ReadonlyMap<string, readonly string[]> {
  const byLink = new Map<number, string[]>();
  for (const { index, destination } of routes) {
    const [address = ''] = destination.split('/');
    if (destination === hostNetwork(address)) byLink.set(index, [...(byLink.get(index) ?? []), address]);
  }
  const held = new Map<string, readonly string[]>();
  for (const attachment of keep) {
    const others = (byLink.get(attachment.host.index) ?? []).filter((each) => !attachment.addresses.includes(each));
    if (others.length > 0) held.set(keyText(attachment), others);
  }
  for (const { alias, index } of doubtful) {
    const key = keyOfAlias(alias);
    const addresses = byLink.get(index);
    if (key !== undefined && addresses !== undefined) held.set(keyText(key), addresses);
  }
  return held;
}

function namesOf({ host, limits }: Attachment): readonly string[] {
  return limits?.egress === undefined ? [host.name] : [host.name, limits.egress.link];
}

function reasonToRelease(
  attachment: Attachment,
  link: LinkState | undefined,
  look: (path: string) => NamespaceSighting,
): string | undefined {
  if (attachment.state === 'reserved') return 'its ADD was never answered';
  if (attachment.state === 'releasing') return 'its DEL was interrupted';
  const sighting = look(attachment.netns.path);
  if (sighting === 'gone') return 'its network namespace is gone';
  // An unseen one is kept: releasing on a guess would cut a living pod off.
  if (sighting !== 'unseen' && sighting.identity !== attachment.netns.identity)
    return 'its network namespace was replaced by another';
  if (link?.index !== attachment.host.index) return 'its link is gone';
  if (link.alias !== linkAlias(attachment)) return `its link has the alias of something else (${link.alias})`;
  return undefined;
}

function repairsOf(attachment: Attachment, input: RecoveryInput): readonly RouteRequest[] {
  return [...limitRepairs(attachment, input), ...reachRepairs(attachment, input)];
}

/** Of limits of which something is missing, all is made again: the link only when it is gone, the rest replaces itself. */
function limitRepairs(attachment: Attachment, { links, shapes }: RecoveryInput): readonly RouteRequest[] {
  const shaped = (index: number): boolean => shapes.some((shape) => shape.index === index);
  const { ingress, egress } = attachment.limits ?? {};
  const queue = egress === undefined ? undefined : links.find(({ name }) => name === egress.link);
  const whole =
    (ingress === undefined || shaped(attachment.host.index)) && (egress === undefined || shaped(egress.index));
  if (whole) return [];
  return limitRequests(attachment).filter(({ op }) => op !== 'create-ifb' || queue === undefined);
}

function reachRepairs(attachment: Attachment, { routes, neighbours, sources }: RecoveryInput): readonly RouteRequest[] {
  const { index } = attachment.host;
  return reachRequests(attachment, sources).filter((request) => {
    if (request.op === 'add-route')
      return !routes.some((route) => route.index === index && route.destination === request.destination);
    if (request.op === 'add-neighbour')
      return !neighbours.some(
        (entry) => entry.index === index && entry.address === request.address && entry.mac === request.mac,
      );
    return false;
  });
}

/** An attachment for a log line: pod when the runtime named it, else container. */
export function describeAttachment(attachment: Attachment): string {
  const { pod } = attachment;
  return pod === undefined ? keyText(attachment) : `${pod.namespace}/${pod.name} (${keyText(attachment)})`;
}
