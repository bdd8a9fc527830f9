/** IP addresses and networks of both families as numbers: what configuration and the API server give, and writing it again. */
import { addressText, parseAddressBytes } from '../linux/ipaddress.ts';
import type { Family } from '../linux/ipaddress.ts';

/** A network. `base` is its first address as a number. */
export interface Network {
  readonly family: Family;
  readonly base: bigint;
  readonly prefix: number;
}

/** Length of an address in bits. */
export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** The number of an address, or undefined when it is none. */
export function parseAddress(text: string): { readonly family: Family; readonly value: bigint } | undefined {
  const bytes = parseAddressBytes(text);
  if (bytes === undefined) return undefined;
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString('hex')}`) };
}

/** `10.244.0.7` for its family and number. */
export function formatAddress(family: Family, value: bigint): string {
  return addressText(Buffer.from(value.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex')) ?? '';
}

/** A network in CIDR notation, or undefined when it is not one or has bits behind its prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined || length === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length))
    return undefined;
  const prefix = Number(length);
  if (prefix > bitsOf(parsed.family)) return undefined;
  const network = { family: parsed.family, base: parsed.value, prefix };
  return parsed.value % sizeOf(network) === 0n ? network : undefined;
}

export function formatNetwork({ family, base, prefix }: Network): string {
  return `${formatAddress(family, base)}/${prefix}`;
}

/** Number of addresses of a network. */
export function sizeOf({ family, prefix }: Pick<Network, 'family' | 'prefix'>): bigint {
  return 1n << BigInt(bitsOf(family) - prefix);
}

/** Whether a network has an address, by its number; the families must be equal. */
export function contains(network: Network, address: bigint): boolean {
  return address >= network.base && address < network.base + sizeOf(network);
}

/** Whether two networks have an address in common. */
export function overlap(one: Network, other: Network): boolean {
  return one.family === other.family && (contains(one, other.base) || contains(other, one.base));
}

/** An address as the network that is it alone: `10.244.0.7/32`. */
export function hostNetwork(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}
