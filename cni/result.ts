/** Results of ADD, built in the form of CNI 1.1.0 and converted to the version the runtime asked for. */

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

/**
 * The result as JSON text. `mtu` exists since 1.1.0; before 1.0.0 each address said its family; before 0.3.0 there was
 * one address of each family, each with its own routes, and no interfaces.
 */
export function resultText(result: AddResult, cniVersion: string): string {
  if (/^0\.[12]\./.test(cniVersion)) return JSON.stringify({ cniVersion, ...firstOfEachFamily(result) });
  const interfaces =
    cniVersion === '1.1.0'
      ? result.interfaces
      : result.interfaces.map(({ name, mac, sandbox }) => ({
          name,
          mac,
          ...(sandbox === undefined ? {} : { sandbox }),
        }));
  const ips = cniVersion.startsWith('0.')
    ? result.ips.map((ip) => ({ version: ip.address.includes(':') ? '6' : '4', ...ip }))
    : result.ips;
  return JSON.stringify({ cniVersion, interfaces, ips, routes: result.routes });
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

/** What the plugin type `loopback` answers. */
export function loopbackResult(netns: string): AddResult {
  return {
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
    ips: [{ address: '127.0.0.1/8', interface: 0 }],
    routes: [],
  };
}
