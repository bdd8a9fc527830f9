/** Reads one node's network: what the kernel has by iproute2 and nft, and the agent's files. */
import type { Attachment } from '../../../cni/attachment.ts';
import { decodeRecord } from '../../../cni/record.ts';
import { tunnelName } from '../../../cni/nodes/tunnel.ts';
import { temporaryPrefix } from '../../../kit/durablefile.ts';
import { z } from 'zod';
import type { ClusterNode } from '../../../cluster/node.ts';
import type { NodeNetwork, PodState, SandboxState } from './nodestate.ts';
import { elementsIn } from './nftlisting.ts';
import { linesOf, listOf, metricsLine, readSections, samplesOf } from './sections.ts';

const run = '/run/berth';
// One line for each file, as `NAME CONTENT`.
const records = `cd ${run}/attachments 2>/dev/null && for f in $(ls -A); do echo "$f $(cat "$f" | tr -d '\\n')"; done; cd /`;
const sandboxes =
  'for f in /run/netns/*; do i=$(stat -c %d:%i "$f" 2>/dev/null) && echo "$i $(ip -n "${f##*/}" -j addr show | tr -d \'\\n\')"; done';
// Links that filter what they receive; each filter in a line of its own.
const redirections =
  'for l in $(tc qdisc show | awk \'$2 == "clsact" { print $5 }\'); do echo "$l $(tc -j filter show dev $l ingress | tr -d \'\\n\')"; done';

const ipLink = z.object({
  ifindex: z.number(),
  ifname: z.string(),
  group: z.string().default('default'),
  ifalias: z.string().default(''),
  linkinfo: z.object({ info_kind: z.string().default('') }).default({ info_kind: '' }),
  address: z.string().default(''),
  mtu: z.number(),
  flags: z.array(z.string()),
});

const ipAddresses = z.object({
  ifindex: z.number(),
  ifname: z.string(),
  address: z.string().default(''),
  addr_info: z.array(z.object({ local: z.string().optional(), scope: z.string().optional() })).default([]),
});

const ipRoute = z.object({
  dst: z.string(),
  dev: z.string().default(''),
  gateway: z.string().optional(),
  protocol: z.string().default('boot'),
});

const ipNeighbour = z.object({ dst: z.string(), dev: z.string(), lladdr: z.string().default('') });

const forwarding = z.object({ mac: z.string(), dst: z.string().default('') });

const discipline = z.object({
  kind: z.string(),
  dev: z.string(),
  options: z.object({ rate: z.number().optional() }).default({}),
});

const filter = z.object({
  options: z
    .object({ actions: z.array(z.object({ to_dev: z.string().optional() })).default([]) })
    .default({ actions: [] }),
});

export async function readNetwork(node: ClusterNode, pods: readonly PodState[]): Promise<NodeNetwork> {
  const read = await readSections(node, {
    records,
    links: 'ip -j -d link show',
    routes4: 'ip -4 -j route show',
    routes6: 'ip -6 -j route show',
    neighbours4: 'ip -4 -j neighbour show nud permanent',
    neighbours6: 'ip -6 -j neighbour show nud permanent',
    forwardings: `bridge -j fdb show dev ${tunnelName} 2>/dev/null`,
    tunnel: `ip -j addr show dev ${tunnelName} 2>/dev/null`,
    disciplines: 'tc -j qdisc show',
    redirections,
    sandboxes,
    table: 'nft -j list table inet berth 2>/dev/null',
    queue: `ls -A ${run}/queue 2>/dev/null`,
    refused: `ls -A ${run}/refused 2>/dev/null`,
    unfinished: `find ${run} -name '${temporaryPrefix}*'`,
    metrics: metricsLine,
  });
  const used = samplesOf(read.metrics, 'berth_cni_addresses').filter(({ labels }) => labels.includes('state="used"'));
  return {
    name: node.name,
    pods,
    records: linesOf(read.records).map((line) => {
      const [file = ''] = line.split(' ', 1);
      return { file, attachment: decode(line.slice(file.length + 1)) };
    }),
    links: listOf(read.links, ipLink).map((link) => ({
      index: link.ifindex,
      name: link.ifname,
      // A name stands for a group that is none of ours.
      group: Number(link.group) || 0,
      alias: link.ifalias,
      kind: link.linkinfo.info_kind,
      mac: link.address,
      mtu: link.mtu,
      up: link.flags.includes('UP'),
    })),
    routes: [...listOf(read.routes4, ipRoute), ...listOf(read.routes6, ipRoute)].map(
      ({ dst, dev, gateway, protocol }) => ({
        destination: dst,
        link: dev,
        protocol,
        ...(gateway === undefined ? {} : { via: gateway }),
      }),
    ),
    // Asked for IPv4, iproute2 lists permanent neighbours of both families.
    neighbours: uniqueBy(
      [read.neighbours4, read.neighbours6].flatMap((text) =>
        listOf(text, ipNeighbour).map(({ dst, dev, lladdr }) => ({
          address: dst,
          link: dev,
          mac: lladdr,
        })),
      ),
    ),
    forwardings: listOf(read.forwardings, forwarding).map(({ mac, dst }) => ({ mac, to: dst })),
    tunnelAddresses: listOf(read.tunnel, ipAddresses).flatMap(addressesIn),
    disciplines: listOf(read.disciplines, discipline).map(({ kind, dev, options }) => ({
      kind,
      link: dev,
      ...(options.rate === undefined ? {} : { rate: options.rate }),
    })),
    redirections: linesOf(read.redirections).flatMap((line) => {
      const [link = ''] = line.split(' ', 1);
      return listOf(line.slice(link.length + 1), filter).flatMap(({ options }) =>
        options.actions.flatMap(({ to_dev }) => (to_dev === undefined ? [] : [{ link, to: to_dev }])),
      );
    }),
    sandboxes: linesOf(read.sandboxes).map(sandboxOf),
    elements: elementsIn(read.table),
    queue: linesOf(read.queue),
    refused: linesOf(read.refused),
    unfinished: linesOf(read.unfinished),
    counted: used.length === 0 ? undefined : used.reduce((sum, { value }) => sum + value, 0),
  };
}

function decode(text: string): Attachment | undefined {
  try {
    return decodeRecord(new TextEncoder().encode(text));
  } catch {
    return undefined;
  }
}

function sandboxOf(line: string): SandboxState {
  const [identity = ''] = line.split(' ', 1);
  return {
    identity,
    links: listOf(line.slice(identity.length + 1), ipAddresses).map((link) => ({
      name: link.ifname,
      index: link.ifindex,
      mac: link.address,
      addresses: addressesIn(link),
    })),
  };
}

function addressesIn({ addr_info }: z.output<typeof ipAddresses>): readonly string[] {
  return addr_info.flatMap(({ local, scope }) => (scope === 'global' && local !== undefined ? [local] : []));
}

function uniqueBy<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
