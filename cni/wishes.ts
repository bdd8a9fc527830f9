/** What a runtime may ask of an ADD beyond an interface: CNI_ARGS, `args.cni` and `runtimeConfig` become checked wishes. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { CniError } from './errors.ts';
import { cniCode } from './protocol.ts';

export const portProtocols = ['tcp', 'udp', 'sctp'] as const;

/** A port of the node that leads to the pod. */
export interface PortMapping {
  readonly protocol: (typeof portProtocols)[number];
  readonly hostPort: number;
  readonly containerPort: number;
  /** The address of the node it is for; empty for all, `0.0.0.0` and `::` for all of one family. */
  readonly hostIP: string;
}

/** Rates in bits per second, bursts in bits; of a direction that is not limited both are 0. */
export interface Bandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

export interface Wishes {
  /** Requested addresses without prefix length. */
  readonly ips: readonly string[];
  readonly mac: string | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth: Bandwidth | undefined;
}

/** Keys of `runtimeConfig` that Berth acts on; a runtime passes no others. */
export const capabilities = { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true } as const;

/** More than any pod has; a bound for what one call can make the node do. */
const mostPorts = 1_024;

/** The same object with keys in lower case: containerd writes `HostPort` where CRI-O and the conventions say `hostPort`. */
export function lowerKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toLowerCase(), item]));
}

const port = z.int().min(1).max(65_535);
const portMapping = z.preprocess(
  lowerKeys,
  z.looseObject({
    hostport: z.int().max(65_535).default(0),
    containerport: port,
    protocol: z
      .string()
      .default('tcp')
      .transform((text) => (text === '' ? 'tcp' : text.toLowerCase()))
      .pipe(z.enum(portProtocols)),
    hostip: z
      .string()
      .default('')
      .refine((text) => text === '' || (isIP(text) !== 0 && !text.includes('%')), 'expected an IP address'),
  }),
);
const bits = z.int().min(0).default(0);
const bandwidth = z.preprocess(
  lowerKeys,
  z
    .looseObject({ ingressrate: bits, ingressburst: bits, egressrate: bits, egressburst: bits })
    .refine((b) => (b.ingressrate === 0) === (b.ingressburst === 0), 'ingressRate and ingressBurst need each other')
    .refine((b) => (b.egressrate === 0) === (b.egressburst === 0), 'egressRate and egressBurst need each other'),
);
const ip = z
  .string()
  .transform((text) => text.replace(/\/\d{1,3}$/, ''))
  .refine((text) => isIP(text) !== 0 && !text.includes('%'), 'expected an IP address, with or without prefix length');
// A multicast MAC (lowest bit of the first byte) or one of zeros is none an interface can have.
const mac = z
  .string()
  .transform((text) => text.toLowerCase().replaceAll('-', ':'))
  .refine(
    (text) => /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(text) && text !== '00:00:00:00:00:00',
    'expected the MAC address of one interface, six bytes',
  );

const asked = {
  ips: z.array(ip).max(16).nullish(),
  mac: z.union([z.literal('').transform(() => undefined), mac]).nullish(),
};
/** The members `runtimeConfig` and `args` of a network configuration, as far as Berth looks at them. */
const wishesSchema = z.looseObject({
  runtimeConfig: z
    .looseObject({
      ...asked,
      portMappings: z.array(portMapping).max(mostPorts).nullish(),
      bandwidth: bandwidth.nullish(),
    })
    .nullish(),
  args: z.looseObject({ cni: z.looseObject(asked).nullish() }).nullish(),
});

/** `K=V;K=V`; a key without value has the empty one. */
export function parseArgs(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const pair of text.split(';')) {
    const [key = '', ...value] = pair.split('=');
    values.set(key, value.join('='));
  }
  return values;
}

/**
 * The wishes of one ADD. Where several places name an address or a MAC, `runtimeConfig` wins over `args.cni`, and that
 * over CNI_ARGS (CNI conventions). Throws CniError with code 4 for CNI_ARGS and 7 for the configuration.
 */
export function decodeWishes(config: Record<string, unknown>, args: ReadonlyMap<string, string>): Wishes {
  const checked = wishesSchema.safeParse(config);
  if (!checked.success)
    throw new CniError(
      cniCode.invalidNetworkConfig,
      `the network configuration asks for something invalid: ${checked.error.issues
        .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
        .join('; ')}`,
    );
  const runtime = checked.data.runtimeConfig ?? {};
  const given = checked.data.args?.cni ?? {};
  const limits = runtime.bandwidth ?? undefined;
  return {
    ips: unique(runtime.ips ?? given.ips ?? argument('IP', ip, args)),
    mac: runtime.mac ?? given.mac ?? argument('MAC', mac, args)[0],
    portMappings: (runtime.portMappings ?? [])
      // As the runtimes mean it: a container's port that the node has no port for.
      .filter((mapping) => mapping.hostport > 0)
      .map(({ protocol, hostport, containerport, hostip }) => ({
        protocol,
        hostPort: hostport,
        containerPort: containerport,
        hostIP: hostip,
      })),
    bandwidth:
      limits === undefined || (limits.ingressrate === 0 && limits.egressrate === 0)
        ? undefined
        : {
            ingressRate: limits.ingressrate,
            ingressBurst: limits.ingressburst,
            egressRate: limits.egressrate,
            egressBurst: limits.egressburst,
          },
  };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

/** A comma-separated argument, checked. */
function argument(key: string, schema: z.ZodType<string>, args: ReadonlyMap<string, string>): readonly string[] {
  const text = args.get(key) ?? '';
  if (text === '') return [];
  return text.split(',').map((each) => {
    const checked = schema.safeParse(each);
    if (checked.success) return checked.data;
    throw new CniError(
      cniCode.invalidEnvironment,
      `CNI_ARGS: ${key} is not valid: ${checked.error.issues[0]?.message}`,
    );
  });
}
