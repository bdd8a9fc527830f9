/** A transaction in the syntax of nft(8). Names and elements are checked, so that no value can become syntax. */
import { BerthError } from '../../kit/errors.ts';
import { parseAddressBytes } from '../ipaddress.ts';
import type { NftCommand, NftSet, NftTable } from './nftables.ts';

function name(text: string): string {
  if (!/^[a-z][a-z0-9_-]{0,60}$/.test(text))
    throw new BerthError('INVALID_ARGUMENT', `"${text}" is not a name for an nftables object`);
  return text;
}

/** What stands between the dots of an element. */
function isToken(text: string): boolean {
  if (/^(tcp|udp|sctp)$/.test(text)) return true;
  if (/^\d{1,5}$/.test(text)) return Number(text) <= 65_535;
  return parseAddressBytes(text.replace(/\/\d{1,3}$/, '')) !== undefined;
}

function elements(texts: readonly string[]): string {
  for (const text of texts)
    if (!text.split(' : ').every((side) => side.split(' . ').every(isToken)))
      throw new BerthError('INVALID_ARGUMENT', `"${text}" is not an element of a set of addresses and ports`);
  return `{ ${texts.join(', ')} }`;
}

/**
 * `typeof` instead of `type`: what libnftables 1.1 notes beside a set of a plain type makes an nft 1.0 crash at any listing,
 * and kube-proxy and the node's own nft may be that old (tried with 1.1.3 writing and 1.0.6 reading).
 */
const formOf: Readonly<Record<NftSet['type'], string>> = {
  ipv4_addr: 'typeof ip saddr; flags interval;',
  ipv6_addr: 'typeof ip6 saddr; flags interval;',
  ipv4_pair: 'typeof ip saddr . ip daddr;',
  ipv6_pair: 'typeof ip6 saddr . ip6 daddr;',
  ipv4_port: 'typeof meta l4proto . th dport : ip daddr . th dport;',
  ipv6_port: 'typeof meta l4proto . th dport : ip6 daddr . th dport;',
  ipv4_address_port: 'typeof ip daddr . meta l4proto . th dport : ip daddr . th dport;',
  ipv6_address_port: 'typeof ip6 daddr . meta l4proto . th dport : ip6 daddr . th dport;',
};

function renderTable(table: NftTable): string {
  const sets = table.sets.map(
    (set) =>
      `${set.type.endsWith('_port') ? 'map' : 'set'} ${name(set.name)} { ${formOf[set.type]} ${
        set.elements.length === 0 ? '' : `elements = ${elements(set.elements)};`
      } }`,
  );
  const chains = table.chains.map(
    (chain) =>
      `chain ${name(chain.name)} { type ${chain.type} hook ${chain.hook} priority ${chain.priority}; policy accept; ${chain.rules
        .map((rule) => `${rule};`)
        .join(' ')} }`,
  );
  return `table inet ${name(table.name)} {\n${[...sets, ...chains].join('\n')}\n}`;
}

function renderCommand(command: NftCommand): string {
  switch (command.op) {
    case 'replace-table': {
      const table = name(command.table.name);
      // Deleting needs the table to exist; adding it first makes the three lines work in both cases.
      return `add table inet ${table}\ndelete table inet ${table}\n${renderTable(command.table)}`;
    }
    case 'delete-table':
      return `add table inet ${name(command.table)}\ndelete table inet ${command.table}`;
    case 'add-elements':
      return `add element inet ${name(command.table)} ${name(command.set)} ${elements(command.elements)}`;
    case 'delete-elements':
      return `delete element inet ${name(command.table)} ${name(command.set)} ${elements(command.elements)}`;
  }
}

/** The whole transaction; nft commits one buffer as one netlink batch. */
export function render(commands: readonly NftCommand[]): string {
  return `${commands.map(renderCommand).join('\n')}\n`;
}
