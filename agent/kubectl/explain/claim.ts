/** Why a claim waits for its volume: sentences first, and what they rest on. Pure. */
import { sizeText } from '../../commands/cells.ts';
import { seenOr } from '../seen.ts';
import { eventsEvidence, latestWarning, nodesEvidence, poolsEvidence } from './evidence.ts';
import type { ClaimSight, Explanation, FleetSight } from './sight.ts';
import { askedBytes, driver, isOn, storageObstacle } from './storage.ts';

export function explainClaim(sight: ClaimSight, fleet: FleetSight): Explanation {
  const about = `${sight.namespace}/${sight.name}`;
  const nodes = roomOf(sight, fleet);
  const unseen = fleet.agentsUnseen === '' ? [] : [`What the nodes have could not be seen: ${fleet.agentsUnseen}`];
  return {
    about,
    conclusions: [...claimConclusions(sight, fleet), ...unseen],
    evidence: [
      ...(sight.volume === undefined ? nodesEvidence(nodes) : []),
      ...poolsEvidence(fleet),
      ...eventsEvidence(seenOr(sight.events, []), about),
    ],
  };
}

export function claimConclusions(sight: ClaimSight, fleet: FleetSight): readonly string[] {
  const { namespace, name, volume, storageClass, events } = sight;
  const about = `The claim ${namespace}/${name}`;
  if ('unseen' in sight.claim) return [`${about} could not be seen: ${sight.claim.why}`];
  const claim = sight.claim.seen;
  if (claim === undefined) return [`${about} does not exist`];
  if (volume !== undefined) return [boundTo(about, sight, fleet)];
  const className = claim.spec?.storageClassName ?? '';
  if (className === '')
    return [
      `${about} names no storage class, and the cluster had no default: set storageClassName, for example berth-ext4`,
    ];
  if ('seen' in storageClass && storageClass.seen === undefined)
    return [`${about} waits for the storage class ${className}, which does not exist`];
  const found = seenOr(storageClass, undefined);
  if (found !== undefined && found.provisioner !== driver)
    return [`${about} is not Berth's: its class ${className} belongs to ${found.provisioner ?? 'nobody'}`];
  const failure = latestWarning(seenOr(events, []));
  const failed = failure === undefined ? [] : [`The last try failed: ${failure}`];
  return [...whereTo(about, sight, fleet), ...failed];
}

function boundTo(about: string, { claim, volume }: ClaimSight, { nodes }: FleetSight): string {
  const names = seenOr(nodes, []).flatMap((node) =>
    volume !== undefined && isOn(volume, node) ? node.metadata.name : [],
  );
  const phase = seenOr(claim, undefined)?.status?.phase ?? 'Bound';
  const where = names.length === 0 ? 'which is on no node that there is' : `on ${names.join(', ')}`;
  const driverName = volume?.spec?.csi?.driver ?? '';
  const own = driverName === driver ? '' : `, which is not Berth's`;
  if (phase === 'Lost') return `${about} is Lost: its volume ${volume?.metadata.name ?? ''} cannot be used any more`;
  return `${about} is bound to the volume ${volume?.metadata.name ?? ''}${own}, ${where}`;
}

/** About a claim without a volume, of a class of Berth. */
function whereTo(about: string, sight: ClaimSight, fleet: FleetSight): readonly string[] {
  const claim = seenOr(sight.claim, undefined);
  const nodes = roomOf(sight, fleet);
  const wanted = sizeText(askedBytes(sight));
  const without = nodes.filter(({ obstacles }) => obstacles.length > 0);
  if (nodes.length > 0 && without.length === nodes.length) {
    const each = nodes.map(({ node, obstacles }) => `${node} ${obstacles[0]?.text ?? ''}`).slice(0, 12);
    return [`${about} cannot be made: it asks for ${wanted}, and no node has room for it: ${each.join('; ')}`];
  }
  const room = nodes.filter(({ obstacles }) => obstacles.length === 0).map(({ node }) => node);
  const rooms = room.length === 0 ? [] : [`There is room for it on ${room.slice(0, 8).join(', ')}`];
  const selected = claim?.metadata.annotations?.['volume.kubernetes.io/selected-node'];
  if (selected !== undefined) {
    const why = nodes.find(({ node }) => node === selected)?.obstacles[0]?.text;
    return [
      `${about} is to be made on ${selected}${why === undefined ? ', which has room for it' : `, which ${why}`}`,
      ...(why === undefined ? [] : rooms),
    ];
  }
  const users = seenOr(sight.users, []);
  const waits = seenOr(sight.storageClass, undefined)?.volumeBindingMode === 'WaitForFirstConsumer';
  if (waits && users.length === 0 && 'seen' in sight.users)
    return [`${about} waits for a pod that uses it; on the node of that pod its volume is made`, ...rooms];
  if (waits && users.length > 0)
    return [
      `${about} waits until ${users[0]?.metadata.name ?? 'its pod'} has a node: explain pod/${users[0]?.metadata.name ?? ''}`,
      ...rooms,
    ];
  return [`${about} waits for its volume`, ...rooms];
}

function roomOf(
  sight: ClaimSight,
  fleet: FleetSight,
): readonly {
  readonly node: string;
  readonly obstacles: readonly { readonly about: string; readonly text: string }[];
}[] {
  return seenOr(fleet.nodes, []).map((node) => {
    const obstacle = storageObstacle(sight, node, fleet);
    return { node: node.metadata.name, obstacles: obstacle === undefined ? [] : [obstacle] };
  });
}
