/** The node's routes as /proc/net tells them: which networks it reaches by which link. Pure but for reading the files. */
import { join } from 'node:path';
import { formatNetwork } from '../../../cni/addresses.ts';
import type { Network } from '../../../cni/addresses.ts';
import type { DoctorContext } from '../context.ts';
import { readText } from '../reading.ts';

export interface NodeRoute {
  readonly network: Network;
  readonly device: string;
  /** Whether its addresses are on the link itself, and not behind a router. */
  readonly connected: boolean;
  /** Of IPv6: a router advertised it. */
  readonly advertised: boolean;
}

const RTF_GATEWAY = 0x2;
const RTF_ADDRCONF = 0x0004_0000;
/** Local addresses, multicast and the like are not routes to anybody. */
const RTF_LOCAL = 0x8000_0000;

function parseRoutes4(text: string): readonly NodeRoute[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device, destination, , flags, , , , mask] = line.trim().split(/\s+/);
      if (device === undefined || destination === undefined || flags === undefined || mask === undefined) return [];
      const bits = hostOrder(mask).toString(2).replaceAll('0', '').length;
      const network: Network = { family: 4, base: BigInt(hostOrder(destination)), prefix: bits };
      const connected = (parseInt(flags, 16) & RTF_GATEWAY) === 0;
      return [{ network, device, connected, advertised: false }];
    });
}

/** The kernel writes the number as it lies in memory. */
function hostOrder(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE();
}

function parseRoutes6(text: string): readonly NodeRoute[] {
  return text.split('\n').flatMap((line) => {
    const [destination, length, , , gateway, , , , flags, device] = line.trim().split(/\s+/);
    if (destination?.length !== 32 || length === undefined || flags === undefined || device === undefined) return [];
    const bits = parseInt(flags, 16);
    const isOthers = /^(fe[89ab]|ff)/.test(destination) || device === 'lo' || (bits & RTF_LOCAL) !== 0;
    if (isOthers) return [];
    const network: Network = { family: 6, base: BigInt(`0x${destination}`), prefix: parseInt(length, 16) };
    const connected = /^0*$/.test(gateway ?? '');
    return [{ network, device, connected, advertised: (bits & RTF_ADDRCONF) !== 0 }];
  });
}

/** Routes of both families, without those of Berth's own links, which their alias tells. */
export async function foreignRoutes({ roots, once }: DoctorContext): Promise<readonly NodeRoute[]> {
  return await once('routes', async () => {
    const routes = [
      ...parseRoutes4((await readText(join(roots.proc, 'net/route'))) ?? ''),
      ...parseRoutes6((await readText(join(roots.proc, 'net/ipv6_route'))) ?? ''),
    ];
    const devices = [...new Set(routes.map(({ device }) => device))];
    const own = new Set<string>();
    for (const device of devices) {
      const alias = await readText(join(roots.sys, 'class/net', device, 'ifalias')).catch(() => undefined);
      if (alias?.startsWith('berth:') === true) own.add(device);
    }
    return routes.filter(({ device }) => !own.has(device));
  });
}

export function routeText({ network, device, connected }: NodeRoute): string {
  return `${formatNetwork(network)} ${connected ? 'on' : 'through a router on'} ${device}`;
}
