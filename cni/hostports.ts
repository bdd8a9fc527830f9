/** Ports of the node that lead to pods: who has which, as elements of the table's maps, and flows that must be forgotten. */
import { BerthError } from '../kit/errors.ts';
import type { Conntrack } from '../linux/conntrack.ts';
import { familyOf } from '../linux/ipaddress.ts';
import type { Family } from '../linux/ipaddress.ts';
import type { NftCommand, NftSet, Nftables } from '../linux/nftables/nftables.ts';
import { formatAddress, parseAddress } from './addresses.ts';
import { keyText } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { CniError } from './errors.ts';
import { cniCode } from './protocol.ts';
import type { AttachmentKey } from './request.ts';
import type { TableTurns } from './tableturns.ts';

/** A mapping for one family. `hostIP` is empty for all addresses of the node. */
interface FamilyPort {
  readonly family: Family;
  readonly protocol: string;
  readonly hostPort: number;
  readonly hostIP: string;
  readonly address: string;
  readonly containerPort: number;
}

const tableName = 'berth';
const mapNames = ['ports', 'ports6', 'addressports', 'addressports6', 'hairpin', 'hairpin6'] as const;
type MapName = (typeof mapNames)[number];
const typeOf: Readonly<Record<MapName, NftSet['type']>> = {
  ports: 'ipv4_port',
  ports6: 'ipv6_port',
  addressports: 'ipv4_address_port',
  addressports6: 'ipv6_address_port',
  hairpin: 'ipv4_pair',
  hairpin6: 'ipv6_pair',
};

/** The mappings of an attachment by family: one without hostIP is for each family the pod has. */
export function familyPorts({ addresses, ports = [] }: Pick<Attachment, 'addresses' | 'ports'>): readonly FamilyPort[] {
  return ports.flatMap(({ protocol, hostPort, containerPort, hostIP }) =>
    addresses.flatMap((address): FamilyPort[] => {
      const family = familyOf(address);
      if (hostIP !== '' && familyOf(hostIP) !== family) return [];
      const parsed = parseAddress(hostIP);
      const all = parsed === undefined || parsed.value === 0n;
      const own = all ? '' : formatAddress(parsed.family, parsed.value);
      return [{ family, protocol, hostPort, hostIP: own, address, containerPort }];
    }),
  );
}

function elementsOf(attachment: Attachment): readonly (readonly [MapName, string])[] {
  const ports = familyPorts(attachment);
  const pairs = new Map(ports.map(({ family, address }) => [address, family]));
  return [
    ...ports.map(({ family, protocol, hostPort, hostIP, address, containerPort }): [MapName, string] => {
      const to = `${address} . ${containerPort}`;
      return hostIP === ''
        ? [family === 4 ? 'ports' : 'ports6', `${protocol} . ${hostPort} : ${to}`]
        : [family === 4 ? 'addressports' : 'addressports6', `${hostIP} . ${protocol} . ${hostPort} : ${to}`];
    }),
    ...[...pairs].map(([address, family]): [MapName, string] => [
      family === 4 ? 'hairpin' : 'hairpin6',
      `${address} . ${address}`,
    ]),
  ];
}

/** The maps of the table with what living attachments have. Of two that claim the same, which cannot be, the older. */
export function portMaps(attachments: readonly Attachment[]): readonly NftSet[] {
  const living = attachments.filter(({ state }) => state !== 'releasing').sort((a, b) => a.since - b.since);
  return mapNames.map((name) => {
    const elements = new Map<string, string>();
    for (const attachment of living)
      for (const [map, element] of elementsOf(attachment)) {
        const [key = ''] = element.split(' : ');
        if (map === name && !elements.has(key)) elements.set(key, element);
      }
    return { name, type: typeOf[name], elements: [...elements.values()] };
  });
}

// The address of the packet decides, before a mapping for all addresses does.
const translate = [
  'fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @addressports',
  'fib daddr type local dnat ip to meta l4proto . th dport map @ports',
  'fib daddr type local dnat ip6 to ip6 daddr . meta l4proto . th dport map @addressports6',
  'fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6',
];

/** The chains that use the maps. Before those of kube-proxy (-100): a port of the node is the pod's that has it. */
export const portChains = [
  { name: 'ports-in', type: 'nat', hook: 'prerouting', priority: -105, rules: translate },
  { name: 'ports-local', type: 'nat', hook: 'output', priority: -105, rules: translate },
] as const;

/** What leaves with an address that the pod could not answer: the node's 127.0.0.1, and the pod's own. */
export function portSourceRules(group: number): readonly string[] {
  return [
    `oifgroup ${group} ct status dnat ip saddr 127.0.0.0/8 masquerade fully-random`,
    'ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random',
    'ct status dnat ip6 saddr . ip6 daddr @hairpin6 masquerade fully-random',
  ];
}

export interface HostPortsParts {
  readonly nftables: Nftables;
  readonly conntrack: Conntrack;
  /** Elements change in turn, so that nobody replaces the table by one without them. */
  readonly turns: TableTurns;
  /** The node's own addresses of a family, without prefix length. */
  readonly local: (family: Family) => Promise<readonly string[]>;
}

export class HostPorts {
  readonly #parts: HostPortsParts;
  readonly #claims = new Map<string, { readonly hostIP: string; readonly owner: string; readonly who: string }[]>();

  /** Knows the ports of living attachments; the table has been made with them. */
  constructor(parts: HostPortsParts, attachments: readonly Attachment[]) {
    this.#parts = parts;
    for (const attachment of attachments) this.#enter(attachment);
  }

  /**
   * Reserves the ports of an attachment, all or none. Throws BUSY with the name of the pod that has one, or CniError when
   * the request contradicts itself.
   */
  claim(attachment: Attachment): void {
    const { addresses, ports = [] } = attachment;
    for (const { hostIP } of ports)
      if (hostIP !== '' && !addresses.some((address) => familyOf(address) === familyOf(hostIP)))
        throw new CniError(
          cniCode.invalidNetworkConfig,
          `portMappings: hostIP ${hostIP} is of a family in which the pod has no address`,
        );
    const wanted = familyPorts(attachment);
    for (const [at, port] of wanted.entries()) {
      const { protocol, hostPort } = port;
      if (wanted.slice(at + 1).some((other) => claimKey(other) === claimKey(port) && clash(other.hostIP, port.hostIP)))
        throw new CniError(
          cniCode.invalidNetworkConfig,
          `portMappings has ${protocol} port ${hostPort} more than once`,
        );
      const holder = this.#claims.get(claimKey(port))?.find(({ hostIP }) => clash(hostIP, port.hostIP));
      if (holder !== undefined)
        throw new BerthError('BUSY', `${protocol} port ${hostPort} of the node is in use by ${holder.who}`);
    }
    this.#enter(attachment);
  }

  /** Gives the ports of an attachment back; those that it does not have are left alone. */
  release(key: AttachmentKey): void {
    const owner = keyText(key);
    for (const [port, holders] of this.#claims) {
      const others = holders.filter((holder) => holder.owner !== owner);
      if (others.length === 0) this.#claims.delete(port);
      else if (others.length < holders.length) this.#claims.set(port, others);
    }
  }

  /** Leads the ports to the pod. */
  async open(attachment: Attachment): Promise<void> {
    const elements = elementsOf(attachment);
    if (elements.length === 0) return;
    await this.#run(elements.map(([set, element]) => change('add-elements', set, element)));
    // What came while nobody had the port would go on to nowhere.
    await this.#forget(attachment);
  }

  /** Undoes `open`, as far as it was done. Only what the attachment owns is removed. */
  async close(attachment: Attachment): Promise<void> {
    const elements = elementsOf(attachment);
    if (elements.length === 0 || !this.#owns(attachment)) return;
    try {
      // Adding what is there is no error, and removing what is not there is one.
      await this.#run(
        elements.flatMap(([set, element]) => [
          change('add-elements', set, element),
          change('delete-elements', set, element),
        ]),
      );
    } catch (error) {
      // Somebody removed the table, and the elements with it.
      if (!(error instanceof BerthError && error.code === 'NOT_FOUND')) throw error;
    }
    try {
      await this.#forget(attachment);
    } catch {
      // A DEL must not fail for ever for that: flows end by themselves, and the next pod with the port forgets them, too.
    }
  }

  /** The first port whose element is missing, for CHECK. */
  async missing(attachment: Attachment): Promise<string | undefined> {
    const elements = elementsOf(attachment);
    if (elements.length === 0) return undefined;
    const state = await this.#parts.nftables.list(tableName);
    return elements.find(([set, element]) => state?.sets.get(set)?.includes(element) !== true)?.[1];
  }

  #owns(attachment: Attachment): boolean {
    const owner = keyText(attachment);
    return familyPorts(attachment).every(
      (port) => this.#claims.get(claimKey(port))?.some((holder) => holder.owner === owner) === true,
    );
  }

  #enter(attachment: Attachment): void {
    const { pod } = attachment;
    const owner = keyText(attachment);
    const who = pod === undefined ? `container ${owner}` : `pod ${pod.namespace}/${pod.name}`;
    for (const port of familyPorts(attachment)) {
      const holders = this.#claims.get(claimKey(port)) ?? [];
      this.#claims.set(claimKey(port), [...holders, { hostIP: port.hostIP, owner, who }]);
    }
  }

  async #run(commands: readonly NftCommand[]): Promise<void> {
    await this.#parts.turns.take((change) => change(this.#parts.nftables, commands));
  }

  /** Flows over UDP that go to the node's ports of this pod, or went: only the first packet of a flow is translated. */
  async #forget(attachment: Attachment): Promise<void> {
    const own = familyPorts(attachment).filter(({ protocol }) => protocol === 'udp');
    for (const family of [4, 6] as const) {
      const ports = own.filter((port) => port.family === family);
      if (ports.length === 0) continue;
      const local = new Set(await this.#parts.local(family));
      await this.#parts.conntrack.forgetUdp(family, ({ destination, port, replySource }) =>
        ports.some(
          ({ hostPort, hostIP, address }) =>
            port === hostPort &&
            (hostIP === '' || hostIP === destination) &&
            (local.has(destination) || replySource === address),
        ),
      );
    }
  }
}

function claimKey({ family, protocol, hostPort }: FamilyPort): string {
  return `${family}/${protocol}/${hostPort}`;
}

function clash(one: string, other: string): boolean {
  return one === '' || other === '' || one === other;
}

function change(op: 'add-elements' | 'delete-elements', set: MapName, element: string): NftCommand {
  return { op, table: tableName, set, elements: [element] };
}
