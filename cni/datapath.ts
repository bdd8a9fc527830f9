/** What all pods share: forwarding, one nft table with masquerade and guards. Its cost does not grow with the pods. */
import type { NftCommand, NftSet, NftTable } from '../linux/nftables/nftables.ts';
import { familyOf } from '../linux/ipaddress.ts';
import type { Family } from '../linux/ipaddress.ts';
import type { Sysctl } from '../linux/sysctl.ts';
import { linkGroup } from './attachment.ts';
import { portChains, portMaps, portSourceRules } from './hostports.ts';
import { contains, formatNetwork, parseNetwork } from './addresses.ts';
import type { Network } from './addresses.ts';

/** Name of our table of the family inet; nobody else's is touched. */
export const tableName = 'berth';

/** The sets with the pod ranges of other nodes, by family. */
export const nodeSets = { 4: 'nodes', 6: 'nodes6' } as const;

export interface DatapathInput {
  /** Networks and addresses of this node's pods. */
  readonly pods: readonly string[];
  readonly masquerade: boolean;
  /** The maps of the node's ports. */
  readonly ports?: readonly NftSet[];
  /** Networks that pods reach with their own address. */
  readonly direct: readonly string[];
  /** Pod ranges of other nodes; they do not overlap. They come and go by themselves, in sets of their own. */
  readonly nodes?: readonly string[];
  /** Links over which the node learnt its IPv6 default route; it is to go on learning it when it forwards. */
  readonly uplinks6: readonly string[];
}

// What is no unicast address at all, or of a link only.
const never = ['224.0.0.0/4', 'ff00::/8', 'fe80::/10'];

/** The networks of a family without those that lie inside another one: the elements of an interval set must not overlap. */
function outermost(texts: readonly string[], family: Family): readonly string[] {
  const networks = texts
    .flatMap((text) => parseNetwork(text) ?? [])
    .filter((network) => network.family === family)
    .sort((a, b) => a.prefix - b.prefix);
  const kept: Network[] = [];
  for (const network of networks) if (!kept.some((wider) => contains(wider, network.base))) kept.push(network);
  return kept.map(formatNetwork);
}

/** The table. Pods appear only as elements of sets. */
export function planTable({ pods, masquerade, direct, nodes = [], ports = portMaps([]) }: DatapathInput): NftTable {
  return {
    name: tableName,
    sets: [
      { name: 'pods', type: 'ipv4_addr', elements: outermost(pods, 4) },
      { name: 'pods6', type: 'ipv6_addr', elements: outermost(pods, 6) },
      { name: 'direct', type: 'ipv4_addr', elements: outermost([...never, ...direct], 4) },
      { name: 'direct6', type: 'ipv6_addr', elements: outermost([...never, ...direct], 6) },
      ...nodeElements(nodes),
      ...ports,
    ],
    chains: [
      {
        // Before connection tracking: a packet for 127.0.0.0/8 that comes over a wire is an attack on services that trust
        // the node itself, which gets through where route_localnet is on (CVE-2020-8558).
        name: 'guard',
        type: 'filter',
        hook: 'prerouting',
        priority: -300,
        // Every packet passes here: what hardly any has is asked first.
        rules: [
          'ip daddr 127.0.0.0/8 iifname != "lo" drop',
          // A pod that plays router would become the node's own gateway for IPv6 (CVE-2020-10749). By group, so that it
          // holds from the moment a link is made.
          `icmpv6 type nd-router-advert iifgroup ${linkGroup} drop`,
        ],
      },
      {
        name: 'pods-out',
        type: 'nat',
        hook: 'postrouting',
        priority: 100,
        // A random source port: two connections at once could else be given the same one and lose a packet.
        rules: [
          ...portSourceRules(linkGroup),
          ...(masquerade
            ? [
                `ip saddr @pods ip daddr != @pods ip daddr != @direct ip daddr != @${nodeSets[4]} masquerade fully-random`,
                `ip6 saddr @pods6 ip6 daddr != @pods6 ip6 daddr != @direct6 ip6 daddr != @${nodeSets[6]} masquerade fully-random`,
              ]
            : []),
        ],
      },
      ...portChains,
    ],
  };
}

/** The sets with the pod ranges of other nodes. */
export function nodeElements(ranges: readonly string[]): readonly NftSet[] {
  return [
    { name: nodeSets[4], type: 'ipv4_addr', elements: ranges.filter((range) => familyOf(range) === 4) },
    { name: nodeSets[6], type: 'ipv6_addr', elements: ranges.filter((range) => familyOf(range) === 6) },
  ];
}

/** Makes the node forward and the table be as planned, with `change` of a turn. */
export async function applyDatapath(
  input: DatapathInput,
  change: (commands: readonly NftCommand[]) => Promise<void>,
  sysctl: Sysctl,
): Promise<void> {
  await forwardIpv4(sysctl);
  if (input.pods.some((network) => network.includes(':')))
    await forwardIpv6(() => Promise.resolve(input.uplinks6), sysctl);
  await change([{ op: 'replace-table', table: planTable(input) }]);
}

/** Makes the node forward IPv4; returns whether it did not. */
export async function forwardIpv4(sysctl: Sysctl): Promise<boolean> {
  return await setOne('net.ipv4.ip_forward', sysctl);
}

/** Makes the node forward IPv6; returns whether it did not. `uplinks` yields the links with a default route. */
export async function forwardIpv6(uplinks: () => Promise<readonly string[]>, sysctl: Sysctl): Promise<boolean> {
  if ((await sysctl.read('net.ipv6.conf.all.forwarding')) === '1') return false;
  // A node that forwards believes no router any more, unless told to (2): its own default route would expire.
  for (const link of await uplinks()) {
    const name = `net/ipv6/conf/${link}/accept_ra`;
    if ((await sysctl.read(name)) === '1') await sysctl.set(name, '2');
  }
  return await setOne('net.ipv6.conf.all.forwarding', sysctl);
}

async function setOne(name: string, sysctl: Sysctl): Promise<boolean> {
  if ((await sysctl.read(name)) === '1') return false;
  await sysctl.set(name, '1');
  return true;
}
