/** What the node's own network tells about pods' links: their MTU, and the address the node speaks to pods with. Pure. */
import type { AddressState, LinkState, RouteState } from '../linux/rtnetlink/rtnetlink.ts';
import { linkGroup, tunnelGroup } from './attachment.ts';
import type { Sources } from './plan.ts';

export interface Uplink {
  readonly mtu: number;
  /** Without prefix length; undefined while the node has no address others can use. */
  readonly address: string | undefined;
  /** The same for IPv6. */
  readonly address6?: string;
}

const fallbackMtu = 1500;
// Links inside others: their MTU says nothing about what a pod can send.
const tunnels = new Set([
  'vxlan',
  'geneve',
  'gre',
  'gretap',
  'ipip',
  'sit',
  'tun',
  'vti',
  'wireguard',
  'xfrm',
  'ip6tnl',
]);

/** From addresses and routes of one family. Looks at the link of the default route with the lowest metric, else at the first that has a global address. */
export function uplinkOf(
  links: readonly LinkState[],
  addresses: readonly AddressState[],
  routes: readonly RouteState[],
): Uplink {
  const usable = new Map(
    links
      .filter(({ up, name, group }) => up && name !== 'lo' && group !== linkGroup && group !== tunnelGroup)
      .map((link) => [link.index, link]),
  );
  const global = addresses.filter((entry) => entry.global && usable.has(entry.index));
  const defaults = routes
    .filter((route) => (route.destination === '0.0.0.0/0' || route.destination === '::/0') && usable.has(route.index))
    .sort((a, b) => a.metric - b.metric);
  const onDefault = defaults.flatMap((route) => global.filter((entry) => entry.index === route.index));
  const chosen = onDefault[0] ?? global[0];
  const indexes = [...defaults.map((route) => route.index), ...global.map((entry) => entry.index)];
  const link = indexes
    .map((index) => usable.get(index))
    .find((found) => found !== undefined && !tunnels.has(found.kind));
  return {
    mtu: link?.mtu ?? fallbackMtu,
    address: defaults[0]?.source ?? chosen?.address.replace(/\/.*/, ''),
  };
}

/** The addresses the node's own connections to pods are to have. */
export function sourcesOf({ address, address6 }: Uplink): Sources {
  return { ...(address === undefined ? {} : { 4: address }), ...(address6 === undefined ? {} : { 6: address6 }) };
}
