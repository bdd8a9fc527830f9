/** What keeps a pod from each node, by what the node, its agent and the pod say. Pure. */
import { matchesNode, untolerated } from '../matching.ts';
import { conditionOf } from '../objects.ts';
import type { BerthNodeObject, NodeObject, PodSpec } from '../objects.ts';
import { seenOr } from '../seen.ts';
import { askedResources, deviceObstacle } from './devices.ts';
import type { ClaimSight, FleetSight, Obstacle } from './sight.ts';
import { storageObstacle } from './storage.ts';

export interface NodeObstacles {
  readonly node: string;
  /** Empty where nothing that is known is in the way. */
  readonly obstacles: readonly Obstacle[];
}

export function obstaclesOf(spec: PodSpec, claims: readonly ClaimSight[], fleet: FleetSight): readonly NodeObstacles[] {
  const resources = [...askedResources(spec)];
  return seenOr(fleet.nodes, [])
    .map((node) => {
      const name = node.metadata.name;
      const devices = fleet.devices.find((told) => told.node === name);
      const told = seenOr(fleet.berthNodes, []).find(({ metadata }) => metadata.name === name);
      return {
        node: name,
        obstacles: [
          ...placeObstacles(spec, node),
          ...(spec.hostNetwork === true ? [] : networkObstacles(node, told)),
          ...resources.flatMap(([resource, wanted]) => deviceObstacle(resource, wanted, node, devices) ?? []),
          ...claims.flatMap((claim) => storageObstacle(claim, node, fleet) ?? []),
        ],
      };
    })
    .toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

function placeObstacles(spec: PodSpec, node: NodeObject): readonly Obstacle[] {
  const about = 'a node that takes it';
  const ready = conditionOf(node, 'Ready');
  const mismatch = matchesNode(spec, node);
  // What the cordon and the kubelet's silence add is told in its own words.
  const own = /^node\.kubernetes\.io\/(unschedulable|not-ready|unreachable|network-unavailable)$/;
  const taints = untolerated(node.spec?.taints ?? [], spec.tolerations ?? []).filter(({ key }) => !own.test(key));
  return [
    ...(ready !== undefined && ready.status !== 'True'
      ? [{ about, text: `is not ready (${ready.reason ?? ready.status})` }]
      : []),
    ...(node.spec?.unschedulable === true ? [{ about, text: 'is cordoned' }] : []),
    ...taints.map(({ key, value = '', effect }) => ({
      about,
      text: `has the taint ${key}${value === '' ? '' : `=${value}`}:${effect}, which the pod does not tolerate`,
    })),
    ...(mismatch === undefined ? [] : [{ about, text: mismatch }]),
  ];
}

function networkObstacles(node: NodeObject, told: BerthNodeObject | undefined): readonly Obstacle[] {
  const about = 'a pod network';
  const unavailable = conditionOf(node, 'NetworkUnavailable');
  if (unavailable?.status === 'True')
    return [{ about, text: `has no network: ${unavailable.message ?? unavailable.reason ?? ''}` }];
  const ready = conditionOf(told, 'NetworkReady');
  if (ready?.status === 'False') return [{ about, text: `has no network: ${ready.message ?? ready.reason ?? ''}` }];
  const ranges = told?.status?.network?.ranges ?? [];
  if (ranges.length === 0 || ranges.some(({ size, used }) => used < size)) return [];
  const used = ranges.map(({ range, size }) => `${range} (${size})`).join(', ');
  return [{ about, text: `has no address left in ${used}` }];
}
