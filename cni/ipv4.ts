/** IPv4 addresses and networks as numbers: parsing what configuration and the API server give, and writing it again. */

/** A network. `base` is its first address as an unsigned 32-bit number. */
export interface Network {
  readonly base: number;
  readonly prefix: number;
}

/** The number of an address in dotted decimal, or undefined when it is not one (no leading zeros, no short forms). */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** `10.244.0.7` for its number. */
export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** A network in CIDR notation, or undefined when it is not one or has bits behind its prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const base = parseAddress(address);
  if (base === undefined || length === undefined || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > 32 || base % sizeOf(prefix) !== 0) return undefined;
  return { base, prefix };
}

export function formatNetwork({ base, prefix }: Network): string {
  return `${formatAddress(base)}/${prefix}`;
}

/** Number of addresses of a prefix length. */
export function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}

export function contains(network: Network, address: number): boolean {
  return address >= network.base && address < network.base + sizeOf(network.prefix);
}
