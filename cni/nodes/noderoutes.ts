/** The ways to other nodes' pods: what should be, from facts about the nodes and this node's network, and the way there. Pure. */
import type { RouteRequest } from '../../linux/rtnetlink/requests.ts';
import type { AddressState, LinkState, RouteState } from '../../linux/rtnetlink/rtnetlink.ts';
import { familyOf } from '../../linux/ipaddress.ts';
import { linkGroup, tunnelGroup } from '../attachment.ts';
import { contains, formatNetwork, parseAddress, parseNetwork } from '../addresses.ts';
import type { Network } from '../addresses.ts';
import type { NodeFacts } from './nodefacts.ts';
import { believedRanges, firstAddress } from './ranges.ts';
import type { NodeRange, Refusal } from './ranges.ts';
import { gatewayOf, tunnelMac } from './tunnel.ts';
import type { Tunnel, TunnelEnd } from './tunnel.ts';

/** RTPROT of our routes, a number nobody else has: only these are ever changed or deleted. */
export const routeMaker = 98;

export interface NodeRoute {
  readonly node: string;
  readonly destination: string;
  readonly via: string;
  readonly index: number;
  /** Set when it leads through the tunnel, to this end. */
  readonly end?: TunnelEnd;
  /** Source of the node's own connections. */
  readonly source?: string;
}

/** How nodes are reached: `auto` by a route where they are on a link of this node, else through the tunnel. */
export type WayMode = 'auto' | 'routed' | 'vxlan';

export interface NodePlanInput {
  readonly mode: WayMode;
  /** This node's end of the tunnel, or a sentence why there can be none. */
  readonly tunnel: Pick<Tunnel, 'index' | 'local' | 'addresses'> | string;
  readonly nodeName: string;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  /** Pod ranges of this node. */
  readonly own: readonly Network[];
  readonly links: readonly LinkState[];
  readonly addresses: readonly AddressState[];
  readonly routes: readonly RouteState[];
}

export interface NodePlan {
  readonly routes: readonly NodeRoute[];
  /** All believed ranges of other nodes, also those that somebody else has to route. They do not overlap. */
  readonly ranges: readonly string[];
  /** What is not applied because it cannot be right. */
  readonly refusals: readonly Refusal[];
  /** Nodes whose pods cannot be reached by a route of ours. */
  readonly unreachable: readonly Refusal[];
}

export function planNodeRoutes(input: NodePlanInput): NodePlan {
  const surroundings = look(input);
  const ours = new Map(input.routes.filter(isOurs).map((route) => [route.destination, route]));
  const { ranges, refusals } = believedRanges({
    nodeName: input.nodeName,
    nodes: input.nodes,
    own: input.own,
    addresses: [...surroundings.addresses, ...surroundings.gateways],
    isEstablished: (range) => {
      const via = ours.get(formatNetwork(range.range))?.via;
      if (via === undefined) return false;
      const end = typeof input.tunnel === 'string' ? undefined : endOf(range.node, input.nodes, input.tunnel.local);
      return via === range.address || (end !== undefined && via === gatewayOf(end, range.range.family));
    },
  });
  const routes: NodeRoute[] = [];
  const unreachable: Refusal[] = [];
  for (const range of ranges) {
    const found = wayTo(range, surroundings, input);
    if (typeof found === 'string')
      unreachable.push({ node: range.node, range: formatNetwork(range.range), reason: found });
    else routes.push(found);
  }
  return { routes, ranges: ranges.map(({ range }) => formatNetwork(range)), refusals, unreachable };
}

/** The requests that lead from the routes there are to those that should be. Nothing that is right is touched. */
export function routeChanges(wanted: readonly NodeRoute[], routes: readonly RouteState[]): readonly RouteRequest[] {
  const ours = new Map(routes.filter(isOurs).map((route) => [route.destination, route]));
  const added = wanted.flatMap((route): readonly RouteRequest[] => {
    const { destination, via, index, source, end } = route;
    const there = ours.get(destination);
    ours.delete(destination);
    if (there?.via === via && there.index === index && there.source === source) return [];
    return [
      {
        op: 'add-route',
        destination,
        via,
        index,
        protocol: routeMaker,
        // Replacing takes one step, so that no packet finds no route.
        replace: there !== undefined,
        ...(source === undefined ? {} : { source }),
        // The ends of the tunnel are on no network of its device.
        ...(end === undefined ? {} : { onlink: true }),
      },
    ];
  });
  const removed = [...ours.values()].map(({ destination, index, via }): RouteRequest => ({
    op: 'delete-route',
    destination,
    index,
    protocol: routeMaker,
    ...(via === undefined ? {} : { via }),
  }));
  return [...added, ...removed];
}

function isOurs({ protocol }: RouteState): boolean {
  return protocol === routeMaker;
}

interface OtherRoute {
  readonly network: Network;
  readonly index: number;
  readonly direct: boolean;
}

interface Surroundings {
  readonly addresses: ReadonlySet<string>;
  /** Routes that are not ours and lead to no pod of this node, narrowest first. */
  readonly others: readonly OtherRoute[];
  /** Their destinations. */
  readonly taken: ReadonlySet<string>;
  readonly gateways: readonly string[];
}

function look({ links, addresses, routes }: NodePlanInput): Surroundings {
  const usable = new Set(
    links.filter(({ up, group }) => up && group !== linkGroup && group !== tunnelGroup).map(({ index }) => index),
  );
  const others = routes
    .filter((route) => !isOurs(route) && usable.has(route.index))
    .flatMap(({ destination, index, via }): readonly OtherRoute[] => {
      const network = parseNetwork(destination);
      return network === undefined ? [] : [{ network, index, direct: via === undefined }];
    });
  return {
    addresses: new Set(addresses.map(({ address }) => address.replace(/\/.*/, ''))),
    taken: new Set(others.map(({ network }) => formatNetwork(network))),
    gateways: routes.filter((route) => !isOurs(route)).flatMap(({ via }) => via ?? []),
    others: others.sort((a, b) => b.network.prefix - a.network.prefix),
  };
}

/** The route, or a sentence why there is none. */
function wayTo(
  range: NodeRange,
  surroundings: Surroundings,
  { mode, tunnel, nodes }: NodePlanInput,
): NodeRoute | string {
  const destination = formatNetwork(range.range);
  if (surroundings.taken.has(destination))
    return `there is a route to its pods (${destination}) that is not Berth's; it is left alone`;
  if (range.address !== undefined && surroundings.addresses.has(range.address))
    return `its address ${range.address} is one of this node, so its pods (${destination}) cannot be reached`;
  if (mode !== 'vxlan') {
    const direct = directRoute(range, surroundings);
    if (mode === 'routed' || typeof direct !== 'string') return direct;
  }
  return typeof tunnel === 'string' ? tunnel : tunnelRoute(range, tunnel, nodes);
}

function tunnelRoute(
  { node, range }: NodeRange,
  { index, local, addresses }: Pick<Tunnel, 'index' | 'local' | 'addresses'>,
  nodes: ReadonlyMap<string, NodeFacts>,
): NodeRoute | string {
  const { family } = range;
  const destination = formatNetwork(range);
  const end = endOf(node, nodes, local);
  if (end === undefined)
    return `it has no internal address of IPv${familyOf(local)}, by which this node's tunnel goes, so its pods (${destination}) cannot be reached`;
  if (family === 4 && end.address.includes(':'))
    return `IPv4 pods (${destination}) are not reached through a tunnel of IPv6; give the nodes internal IPv4 addresses`;
  const source = addresses.find((address) => familyOf(address) === family);
  return {
    node,
    destination,
    via: gatewayOf(end, family),
    index,
    end,
    ...(source === undefined ? {} : { source }),
  };
}

/** The other end at a node: its first internal address of the family that the tunnel goes by. */
function endOf(node: string, nodes: ReadonlyMap<string, NodeFacts>, local: string): TunnelEnd | undefined {
  const facts = nodes.get(node);
  const address = facts === undefined ? undefined : firstAddress(facts, familyOf(local));
  return address === undefined || address === local ? undefined : { node, address, mac: tunnelMac(address) };
}

function directRoute({ node, range, address }: NodeRange, { others }: Surroundings): NodeRoute | string {
  const destination = formatNetwork(range);
  const parsed = parseAddress(address ?? '');
  if (address === undefined || parsed === undefined)
    return `it has no internal address of IPv${range.family} yet, so its pods (${destination}) cannot be reached`;
  const way = others.find(({ network }) => network.family === range.family && contains(network, parsed.value));
  if (way?.direct !== true)
    return `its address ${address} is not on a link of this node, so its pods (${destination}) need a route from elsewhere`;
  return { node, destination, via: address, index: way.index };
}
