/** Probes for the node's own network, as far as the pods' network depends on it. */
import { join } from 'node:path';
import { overlap, parseNetwork } from '../../../cni/addresses.ts';
import type { Network } from '../../../cni/addresses.ts';
import type { NetworkConfig } from '../../../cni/config.ts';
import { agentsOf, nodeOf } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, warning, worstOf } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { probe, withNetwork } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { readText } from '../reading.ts';
import { foreignRoutes, routeText } from './routetables.ts';
import type { NodeRoute } from './routetables.ts';

/** The pod ranges of this node; empty when the Node has none yet. Throws when they cannot be known. */
async function rangesOf(context: DoctorContext, { podCIDR }: NetworkConfig): Promise<readonly string[]> {
  if (podCIDR !== 'auto') return [podCIDR].flat();
  const { podCIDRs, podCIDR: single } = ((await nodeOf(context))['spec'] ?? {}) as {
    readonly podCIDRs?: unknown;
    readonly podCIDR?: unknown;
  };
  const given: readonly unknown[] = Array.isArray(podCIDRs) ? podCIDRs : [single];
  return given.filter((each) => typeof each === 'string');
}

function judgeRanges(ranges: readonly string[], from: string): Verdict {
  if (ranges.length > 0) return pass(`pods get addresses of ${ranges.join(', ')}`, { what: ranges.join(' '), from });
  return failure(
    'the Node has no pod range yet',
    'start kube-controller-manager with --allocate-node-cidrs --cluster-cidr=RANGE, or set network.podCIDR in the NodeConfig',
    { what: 'spec.podCIDRs is empty', from },
  );
}

function judgeOverlap({
  ranges,
  routes,
}: {
  readonly ranges: readonly string[];
  readonly routes: readonly NodeRoute[];
}): Verdict {
  const networks = ranges.flatMap((range) => parseNetwork(range) ?? []);
  const verdicts = networks.flatMap((range) => routes.flatMap((route) => clashOf(range, route) ?? []));
  return worstOf(verdicts, `no route of the node leads into ${ranges.join(', ') || 'a pod range'}`);
}

function clashOf(range: Network, route: NodeRoute): Verdict | undefined {
  const { network, connected } = route;
  if (network.prefix === 0 || !overlap(range, network)) return undefined;
  const evidence = { what: routeText(route), from: '/proc/net' };
  const fix = 'give the cluster another pod range (--cluster-cidr, network.podCIDR) or the node another address';
  if (connected) return failure(`the pod range overlaps a network of the node: ${routeText(route)}`, fix, evidence);
  // A larger network behind a router is only hidden where pods are; a part of the range would be led away.
  if (network.prefix < range.prefix) return undefined;
  return warning(
    `a part of the pod range is led elsewhere: ${routeText(route)}`,
    `ip route del ${routeText(route).split(' ')[0] ?? ''} dev ${route.device}`,
    evidence,
  );
}

interface ForwardingSnapshot {
  readonly values: readonly { readonly name: string; readonly value: string | undefined; readonly from: string }[];
  readonly agentRuns: boolean;
}

function judgeForwarding({ values, agentRuns }: ForwardingSnapshot): Verdict {
  const verdicts = values.map(({ name, value, from }): Verdict => {
    const evidence = { what: `${name} = ${value ?? 'not there'}`, from };
    if (value === '1') return pass(`${name} is 1`, evidence);
    if (value === undefined)
      return failure(
        `this kernel has no ${name}, and there is a pod range of its family`,
        'boot a kernel with that family, or take its range out of network.podCIDR',
        evidence,
      );
    const fix = `sysctl -w ${name}=1`;
    return agentRuns
      ? failure(
          `${name} is ${value}, so pods reach nobody outside; the agent sets it each second: somebody sets it back`,
          fix,
          evidence,
        )
      : warning(`${name} is ${value}; the agent sets it when it starts`, fix, evidence);
  });
  return worstOf(verdicts, 'the node forwards');
}

interface AcceptRaSnapshot {
  readonly forwarding: boolean;
  readonly links: readonly { readonly device: string; readonly value: string | undefined; readonly from: string }[];
}

function judgeAcceptRa({ forwarding, links }: AcceptRaSnapshot): Verdict {
  const bad = links.filter(({ value }) => value !== '2');
  const evidence = links.map(({ value, from }) => ({ what: `accept_ra = ${value ?? 'not there'}`, from }));
  if (bad.length === 0)
    return pass(
      links.length === 0 ? 'the node has no default route of a router advertisement' : 'it keeps its default route',
      ...evidence,
    );
  const fix = bad.map(({ device }) => `sysctl -w net/ipv6/conf/${device}/accept_ra=2`).join(' && ');
  const names = bad.map(({ device }) => device).join(', ');
  return forwarding
    ? failure(
        `the node forwards IPv6 and loses the default route that a router advertises on ${names}`,
        fix,
        ...evidence,
      )
    : warning(
        `once the node forwards IPv6 it loses the default route that a router advertises on ${names}; the agent sets it when it starts`,
        fix,
        ...evidence,
      );
}

const hasFamily6 = (ranges: readonly string[]): boolean => ranges.some((range) => range.includes(':'));

export const networkProbes: readonly Probe[] = [
  probe({
    id: 'network.pod-range',
    title: 'the pod range of this node is known',
    why: 'Pods get their addresses from it. With `network.podCIDR: auto` it is the one of the Node object.',
    mend: '`--allocate-node-cidrs` and `--cluster-cidr` of kube-controller-manager, or the NodeConfig key `network.podCIDR`.',
    of: withNetwork,
    read: async (context, network) => ({
      ranges: await rangesOf(context, network),
      from: network.podCIDR === 'auto' ? `spec.podCIDRs of Node ${context.nodeName ?? ''}` : 'network.podCIDR',
    }),
    judge: ({ ranges, from }) => judgeRanges(ranges, from),
  }),
  probe({
    id: 'network.range-overlap',
    title: 'the pod range is nobody else’s',
    why: 'What the node reaches by a route of its own and what pods have must be apart, or one of them is not reached.',
    mend: 'Another pod range (`--cluster-cidr`, `network.podCIDR`), or another network for the node.',
    of: withNetwork,
    read: async (context, network) => ({
      ranges: await rangesOf(context, network),
      routes: await foreignRoutes(context),
    }),
    judge: judgeOverlap,
  }),
  probe({
    id: 'network.forwarding',
    title: 'the node forwards packets',
    why: 'A node that does not forward keeps its pods from everybody else. Hardening tools and other programs switch it off.',
    mend: '`sysctl -w net.ipv4.ip_forward=1` (IPv6: `net.ipv6.conf.all.forwarding=1`), and find out who switches it off: the agent sets it too.',
    of: withNetwork,
    read: async (context, network) => {
      const ranges = await rangesOf(context, network).catch(() => []);
      const names = ['net.ipv4.ip_forward', ...(hasFamily6(ranges) ? ['net.ipv6.conf.all.forwarding'] : [])];
      const values = await Promise.all(
        names.map(async (name) => {
          const from = join(context.roots.proc, 'sys', name.replaceAll('.', '/'));
          return { name, value: await readText(from), from };
        }),
      );
      const agentRuns = (await agentsOf(context, 'services')).some((answer) => 'items' in answer);
      return { values, agentRuns };
    },
    judge: judgeForwarding,
  }),
  probe({
    id: 'network.accept-ra',
    title: 'the node keeps its IPv6 default route',
    why: 'A node that forwards IPv6 takes router advertisements only with `accept_ra` 2. It is looked at when there is an IPv6 pod range.',
    mend: '`sysctl -w net/ipv6/conf/DEVICE/accept_ra=2`',
    of: withNetwork,
    read: async (context, network) => {
      const { proc } = context.roots;
      const ranges = await rangesOf(context, network);
      const routes = hasFamily6(ranges) ? await foreignRoutes(context) : [];
      const advertised = routes.filter((route) => route.advertised && route.network.prefix === 0);
      const links = await Promise.all(
        [...new Set(advertised.map(({ device }) => device))].map(async (device) => {
          const from = join(proc, 'sys/net/ipv6/conf', device, 'accept_ra');
          return { device, value: await readText(from), from };
        }),
      );
      return { links, forwarding: (await readText(join(proc, 'sys/net/ipv6/conf/all/forwarding'))) === '1' };
    },
    judge: judgeAcceptRa,
  }),
];
