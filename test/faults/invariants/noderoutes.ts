/** The ways to other nodes' pods: a route for each pod range of another node that ends at that node, and no other. Pure. */
import { tunnelGroup } from '../../../cni/attachment.ts';
import { routeMaker } from '../../../cni/nodes/noderoutes.ts';
import { tunnelName } from '../../../cni/nodes/tunnel.ts';
import { parseNetwork, formatAddress } from '../../../cni/addresses.ts';
import { familyOf } from '../../../linux/ipaddress.ts';
import { differences } from './compare.ts';
import type { NodeNetwork, NodeObject, RouteState } from './nodestate.ts';

export function nodeRouteViolations(node: NodeNetwork, objects: readonly NodeObject[]): readonly string[] {
  const ours = node.routes.filter(({ protocol }) => protocol === String(routeMaker));
  const ends = ours.filter(({ link }) => link === tunnelName).map((route) => endOf(node, route));
  return [
    ...differences(
      'node',
      objects
        .filter(({ name }) => name !== node.name)
        .flatMap(({ name, podCIDRs }) => podCIDRs.map((range) => `${name} with ${range}`)),
      'route',
      ours.map((route) => `${ownerOf(node, route, objects)} with ${route.destination}`),
    ),
    ...tunnelViolations(node, ends.length > 0, objects),
    ...differences('tunnel route to', unique(ends), 'forwarding to', unique(node.forwardings.map(({ to }) => to))),
    ...node.neighbours
      .filter(({ link, mac }) => link === tunnelName && !ends.includes(behind(node, mac) ?? ''))
      .map(({ address, mac }) => `neighbour ${address} ${mac} of the tunnel is the next hop to no node`),
  ];
}

/** The name of the node at which a route ends, or what it leads to instead. */
function ownerOf(node: NodeNetwork, route: RouteState, objects: readonly NodeObject[]): string {
  const address = route.link === tunnelName ? endOf(node, route) : (route.via ?? 'nowhere');
  return objects.find(({ addresses }) => addresses.includes(address))?.name ?? `${address} over ${route.link}`;
}

/** Where the tunnel brings what takes a route: its next hop is a neighbour, whose MAC is behind an address. */
function endOf(node: NodeNetwork, { via = 'nothing' }: RouteState): string {
  const neighbour = node.neighbours.find(({ link, address }) => link === tunnelName && address === via);
  return (neighbour && behind(node, neighbour.mac)) ?? `${via}, which leads to no end of the tunnel`;
}

function behind({ forwardings }: NodeNetwork, mac: string): string | undefined {
  return forwardings.find((entry) => entry.mac === mac)?.to;
}

function tunnelViolations(node: NodeNetwork, needed: boolean, objects: readonly NodeObject[]): readonly string[] {
  const devices = node.links.filter(({ group, name }) => group === tunnelGroup || name === tunnelName);
  if (!needed) return devices.map(({ name }) => `link ${name} is there and no node is reached by it`);
  const own = objects.find(({ name }) => name === node.name)?.podCIDRs ?? [];
  const first = own.flatMap((range) => {
    const base = parseNetwork(range)?.base;
    return base === undefined ? [] : [formatAddress(familyOf(range), base + 1n)];
  });
  return [
    ...differences(
      'the tunnel',
      [tunnelName],
      'link',
      devices.map(({ name }) => name),
    ),
    ...devices.filter(({ up }) => !up).map(({ name }) => `link ${name} is down`),
    ...differences('the tunnel with address', first, 'address of the tunnel', node.tunnelAddresses),
  ];
}

function unique(items: readonly string[]): readonly string[] {
  return [...new Set(items)];
}
