/** The section `network` of a NodeConfig. */
import { z } from 'zod';
import { overlap, parseNetwork } from './addresses.ts';
import { isWithin, parseSpan } from './exclusions.ts';
import { longestPrefix } from './allocator.ts';
import { refusalOfSysctl } from './sysctls.ts';

const ipNetwork = z
  .string()
  .refine(
    (text) => parseNetwork(text) !== undefined,
    'expected a network such as 10.244.3.0/24 or fd00:3::/64, no bits behind the prefix',
  )
  .meta({ title: 'IP network' });

function isPodRange(text: string): boolean {
  const network = parseNetwork(text);
  return network !== undefined && network.prefix <= longestPrefix(network.family);
}

function areApart(texts: readonly string[]): boolean {
  const networks = texts.flatMap((text) => parseNetwork(text) ?? []);
  return !networks.some((one, at) => networks.slice(at + 1).some((other) => overlap(one, other)));
}

// A text or a list of them in one schema, so that what is wrong is said once and not for each form.
const podRanges = z
  .union([z.string(), z.array(z.string()).min(1).max(16)])
  .refine(
    (given) => given === 'auto' || [given].flat().every(isPodRange),
    'expected "auto", or networks of /30 (IPv6: /126) or larger such as 10.244.3.0/24, no bits behind the prefix',
  )
  .refine((given) => areApart([given].flat()), 'expected ranges that do not overlap')
  .meta({ title: '`auto`, IP network or list of them' });

const exclusion = z
  .string()
  .refine(
    (text) => parseSpan(text) !== undefined,
    'expected an address, a network or a range such as 10.244.3.9, 10.244.3.16/28 or 10.244.3.20-10.244.3.29',
  )
  .meta({ title: 'address, IP network or address range' });

const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/, 'expected an absolute path')
  .meta({ title: 'absolute path' });

// The port that the standard gives to VXLAN; the identifier is ours alone, so that another network on the port is no harm.
const defaultVxlanPort = 4_789;
const defaultVni = 25_189;

/** Schema of the section; every key has a default. */
export const networkSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'expected letters, digits, "_", "." and "-", at most 63')
    .default('berth')
    .describe(
      'Name of the network in the CNI configuration. Never change it while pods run: runtimes keep it from ADD to DEL.',
    ),
  podCIDR: podRanges
    .default('auto')
    .describe(
      "The node's pod ranges, /30 (IPv6: /126) or larger; a pod gets one address of each family. `auto` takes the podCIDRs of the Node object.",
    ),
  exclude: z
    .array(exclusion)
    .max(64)
    .default([])
    .describe(
      'Addresses that pods never get: single ones, networks, or from one to another. Each lies within a range of `podCIDR`; with `auto` those outside have no effect on this node.',
    ),
  mtu: z
    .union([z.literal('auto'), z.int().min(576).max(65_535)])
    .default('auto')
    .describe(
      'MTU of pod links; `auto` takes that of the link with the default route, less what the tunnel to other nodes adds once there is one.',
    ),
  sysctls: z
    .record(
      z.string(),
      z.string().regex(/^[^\x00-\x1f]{1,256}$/, 'expected a text of at most 256 characters without line breaks'),
    )
    .superRefine((given, context) => {
      for (const name of Object.keys(given)) {
        const message = refusalOfSysctl(name);
        if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
      }
    })
    .default({})
    .meta({ title: 'texts by name' })
    .describe(
      'Kernel parameters of each pod that starts, in its own network namespace: `net.core.somaxconn: "1024"`. `IFNAME` stands for its interface: `net.ipv4.conf.IFNAME.arp_filter`.',
    ),
  masquerade: z
    .boolean()
    .default(true)
    .describe("Whether connections of pods to the world outside get the node's address."),
  nonMasqueradeCIDRs: z
    .array(ipNetwork)
    .default([])
    .describe(
      'Networks that pods reach with their own address, besides pod ranges: those of this node, and with `betweenNodes` those of the others.',
    ),
  betweenNodes: z
    .strictObject({
      mode: z
        .enum(['auto', 'routed', 'vxlan', 'none'])
        .default('auto')
        .describe(
          'How pods reach those of other nodes: `routed` gives each other node on a link of this one a route to its pod ranges; `vxlan` sends to all of them through a tunnel; `auto` routes to nodes on a link of this one and tunnels to the others; `none` leaves all to others. The same on all nodes.',
        ),
      vni: z
        .int()
        .min(1)
        .max(0xff_ffff)
        .default(defaultVni)
        .describe('VXLAN network identifier of the tunnel. The same on all nodes.'),
      port: z
        .int()
        .min(1)
        .max(65_535)
        .default(defaultVxlanPort)
        .describe(
          'UDP port of the tunnel, to be open between nodes and closed to everybody else. The same on all nodes.',
        ),
    })
    .default({ mode: 'auto', vni: defaultVni, port: defaultVxlanPort })
    .describe('The way to pods of other nodes.'),
  cniBinDir: absolutePath
    .default('/opt/cni/bin')
    .describe('Where the container runtime looks for CNI plugins; the executable is installed there.'),
  cniConfDir: absolutePath
    .default('/etc/cni/net.d')
    .describe('Where the container runtime looks for its network configuration, which is written there.'),
  conflistName: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*\.conflist$/, 'expected a file name that ends in .conflist')
    .default('05-berth.conflist')
    .describe('File name of the CNI configuration; the runtime takes the first in the order of names.'),
  runDir: absolutePath
    .default('/run/berth')
    .describe('Folder of the socket and of what is known about attached pods; must not survive a reboot (tmpfs).'),
});

/** Those of `exclude` that are of none of the ranges; with `auto` the ranges are not known yet. */
export function exclusionsOutside({ podCIDR, exclude }: Pick<NetworkConfig, 'podCIDR' | 'exclude'>): readonly number[] {
  if (podCIDR === 'auto') return [];
  const ranges = [podCIDR].flat().flatMap((text) => parseNetwork(text) ?? []);
  return exclude.flatMap((text, at) => {
    const span = parseSpan(text);
    return span === undefined || ranges.some((range) => isWithin(span, range)) ? [] : [at];
  });
}

export type NetworkConfig = z.infer<typeof networkSchema>;
