/** Results of ADD, built in the form of CNI 1.1.0 and converted to the version the runtime asked for. */
import type { Dns } from './dns.ts';
import type { PreviousResult } from './previous.ts';

export interface ResultInterface {
  readonly name: string;
  readonly mac: string;
  readonly mtu?: number;
  /** Path of the namespace; absent for the end that is on the node. */
  readonly sandbox?: string;
}

/** The parts of a result that Berth gives (CNI specification 1.1.0, section 5). */
export interface AddResult {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string; readonly interface: number }[];
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
}

/** What stands around ours in an answer. */
export interface Surroundings {
  /** The result of the plugins before us, in the form of the same version. */
  readonly previous?: PreviousResult | undefined;
  /** Name servers, instead of those of plugins before us. */
  readonly dns?: Dns | undefined;
}

/**
 * The result as JSON text, behind what plugins before us made. `mtu` exists since 1.1.0; before 1.0.0 each address said
 * its family; before 0.3.0 there was one address of each family, each with its own routes, and no interfaces: there ours
 * is the one.
 */
export function resultText(result: AddResult, cniVersion: string, { previous, dns }: Surroundings = {}): string {
  const {
    dns: dnsBefore,
    interfaces: interfacesBefore,
    ips: ipsBefore,
    routes: routesBefore,
    ...before
  } = previous ?? {};
  const servers = dns ?? dnsBefore ?? {};
  const frame = { ...before, cniVersion, ...(Object.keys(servers).length === 0 ? {} : { dns: servers }) };
  if (/^0\.[12]\./.test(cniVersion)) return JSON.stringify({ ...frame, ...firstOfEachFamily(result) });
  const interfaces =
    cniVersion === '1.1.0'
      ? result.interfaces
      : result.interfaces.map(({ name, mac, sandbox }) => ({
          name,
          mac,
          ...(sandbox === undefined ? {} : { sandbox }),
        }));
  const first = interfacesBefore?.length ?? 0;
  const ips = result.ips.map((ip) => ({
    ...(cniVersion.startsWith('0.') ? { version: ip.address.includes(':') ? '6' : '4' } : {}),
    ...ip,
    interface: first + ip.interface,
  }));
  return JSON.stringify({
    ...frame,
    interfaces: [...(interfacesBefore ?? []), ...interfaces],
    ips: [...(ipsBefore ?? []), ...ips],
    routes: [...(routesBefore ?? []), ...result.routes],
  });
}

function firstOfEachFamily({ ips, routes }: AddResult): Record<string, unknown> {
  const members = [false, true].flatMap((six) => {
    const first = ips.find((ip) => ip.address.includes(':') === six);
    if (first === undefined) return [];
    const { address, gateway } = first;
    const own = routes.filter((route) => route.dst.includes(':') === six);
    const member = {
      ip: address,
      ...(gateway === undefined ? {} : { gateway }),
      ...(own.length > 0 ? { routes: own } : {}),
    };
    return [[six ? 'ip6' : 'ip4', member] as const];
  });
  return Object.fromEntries(members);
}

/** Of a plugin that passes on what others made. */
export const nothingMade: AddResult = { interfaces: [], ips: [], routes: [] };

/** What the plugin type `loopback` answers. */
export function loopbackResult(netns: string): AddResult {
  return {
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
    ips: [{ address: '127.0.0.1/8', interface: 0 }],
    routes: [],
  };
}
