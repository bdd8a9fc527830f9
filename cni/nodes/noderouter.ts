/** Keeps the routes to other nodes' pods, and the tunnel to far ones, as the Nodes say, while they come, change and go. Does not touch routes of others. */
import type { Logger } from '../../kit/log.ts';
import { coalesce } from '../../kit/coalesce.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Nftables } from '../../linux/nftables/nftables.ts';
import { largestBatch } from '../../linux/rtnetlink/rtnetlink.ts';
import type { RouteRequest } from '../../linux/rtnetlink/requests.ts';
import type { AddressState, LinkState, RouteSocket, RouteState } from '../../linux/rtnetlink/rtnetlink.ts';
import type { Network } from '../addresses.ts';
import { tunnelGroup } from '../attachment.ts';
import type { NetworkKernel } from '../kernel.ts';
import { randomIndex } from '../plan.ts';
import type { TableTurns } from '../tableturns.ts';
import { uplinkOf } from '../uplink.ts';
import type { Uplink } from '../uplink.ts';
import type { NodeFacts, NodeSource } from './nodefacts.ts';
import { NodeRanges } from './noderanges.ts';
import { planNodeRoutes, routeChanges } from './noderoutes.ts';
import type { NodePlan, WayMode } from './noderoutes.ts';
import type { Refusal } from './ranges.ts';
import { overheadOf, ownEnd, removal, tunnelChanges, tunnelName } from './tunnel.ts';
import type { Tunnel, TunnelChanges, TunnelEnd } from './tunnel.ts';

export interface NodeRouterOptions {
  readonly kernel: Pick<NetworkKernel, 'rtnetlink' | 'openNftables'>;
  /** Where the Nodes are followed; without it there are no other nodes, and what an earlier agent made for them goes. */
  readonly source: NodeSource | undefined;
  /** Pod ranges of this node. */
  readonly own: readonly Network[];
  readonly mode: WayMode;
  /** VXLAN network identifier and UDP port of the tunnel. */
  readonly tunnel: { readonly id: number; readonly port: number };
  /** In which the nft table is changed. */
  readonly turns: TableTurns;
  /** Makes the nft table anew, with `ranges`. */
  readonly restoreTable: () => Promise<void>;
  readonly log: Logger;
  /** Milliseconds between looks at the kernel without a reason. */
  readonly resync?: number;
}

export interface NodeCounts {
  readonly routed: number;
  readonly tunnelled: number;
  readonly unreachable: number;
  readonly refused: number;
}

/** This node's own network. */
interface Surroundings {
  readonly links: readonly LinkState[];
  readonly addresses: readonly AddressState[];
  readonly routes: readonly RouteState[];
  /** The link with the tunnel's name. */
  readonly device: LinkState | undefined;
}

// Links, addresses and routes of the node change, too. Nothing tells us yet, so we look.
const defaultResync = 10_000;

export class NodeRouter {
  readonly #options: NodeRouterOptions;
  readonly #socket: RouteSocket;
  readonly #nftables: Nftables;
  readonly #ranges: NodeRanges;
  readonly #end = new AbortController();
  readonly #sync: () => Promise<void>;
  readonly #reported = new Map<string, string>();
  #nodes: ReadonlyMap<string, NodeFacts> | undefined;
  #following: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #counts: NodeCounts | undefined;
  #plan: NodePlan | undefined;
  #failure = '';
  #tunnelled = false;

  /** Opens what it needs of the kernel; `close` or `stop` gives it back. */
  constructor(options: NodeRouterOptions) {
    this.#options = options;
    this.#nftables = options.kernel.openNftables();
    this.#socket = options.kernel.rtnetlink.open();
    this.#ranges = new NodeRanges(this.#nftables, options.turns, options.restoreTable);
    this.#sync = coalesce(() => this.#apply());
  }

  /** Pod ranges of other nodes that the nft table has to have. */
  get ranges(): readonly string[] {
    return this.#ranges.current;
  }

  /** Takes over what an earlier agent left in the kernel, before the table is made anew. */
  async load(): Promise<void> {
    await this.#ranges.load();
    this.#tunnelled = (await this.#socket.link(tunnelName))?.group === tunnelGroup;
  }

  /** MTU of a new pod's link: what a packet can have that goes through the tunnel, once there is one. */
  podMtu({ mtu, address }: Uplink): number {
    const needed = this.#tunnelled || this.#options.mode === 'vxlan';
    return needed ? mtu - overheadOf(address === undefined ? 6 : 4) : mtu;
  }

  /** Begins to follow the Nodes. Until all are known nothing changes: what an earlier agent made stays. */
  start(): void {
    const changed = (nodes: ReadonlyMap<string, NodeFacts>): void => {
      this.#nodes = nodes;
      void this.#sync();
    };
    if (this.#options.source === undefined) changed(new Map());
    else this.#following = this.#options.source.follow(changed, this.#end.signal);
    this.#timer = setInterval(() => void this.#sync(), this.#options.resync ?? defaultResync);
  }

  /** Stops following. The routes stay. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#end.abort();
    await this.#following;
    await this.#sync();
    this.close();
  }

  close(): void {
    this.#socket.close();
    this.#nftables.close();
  }

  /** Undefined before all nodes are known. */
  counts(): NodeCounts | undefined {
    return this.#counts;
  }

  /** What was last planned; undefined before all nodes are known. */
  plan(): NodePlan | undefined {
    return this.#plan;
  }

  async #apply(): Promise<void> {
    const { own, source, log, mode } = this.#options;
    if (this.#nodes === undefined || this.#end.signal.aborted) return;
    try {
      const kernel = await this.#look();
      const nodeName = source?.name ?? '';
      const tunnel = ownEnd({
        settings: this.#options.tunnel,
        facts: this.#nodes.get(nodeName),
        own,
        addresses: kernel.addresses,
        device: kernel.device,
        mtu: uplinkOf(kernel.links, kernel.addresses, kernel.routes).mtu,
        pickIndex: randomIndex,
      });
      const plan = planNodeRoutes({ mode, tunnel, nodeName, nodes: this.#nodes, own, ...kernel });
      this.#plan = plan;
      this.#report(plan);
      const ways = routeChanges(plan.routes, kernel.routes);
      const ends = new Map(plan.routes.flatMap(({ end }) => (end === undefined ? [] : [[end.node, end]])));
      const changes = await this.#tunnelChanges(tunnel, [...ends.values()], kernel);
      // First the ranges: a packet that takes a new route must keep its address.
      await this.#ranges.set(plan.ranges);
      await this.#send([...changes.before, ...ways, ...changes.after]);
      const tunnelled = plan.routes.filter(({ end }) => end !== undefined).length;
      this.#tunnelled = tunnelled > 0;
      this.#counts = {
        routed: plan.routes.length - tunnelled,
        tunnelled,
        unreachable: plan.unreachable.length,
        refused: plan.refusals.length,
      };
      if (ways.length > 0)
        log.info(
          { event: 'nodes.routes_changed', changes: ways.length, routes: plan.routes.length, tunnelled },
          'routes to pods of other nodes changed',
        );
      this.#failure = '';
    } catch (error) {
      // The next look tries again.
      const reason = messageOf(error);
      if (reason !== this.#failure) log.error({ event: 'nodes.routes_failed' }, reason);
      this.#failure = reason;
    }
  }

  async #look(): Promise<Surroundings> {
    const socket = this.#socket;
    const links = await socket.links();
    return {
      links,
      addresses: [...(await socket.addresses(4)), ...(await socket.addresses(6))],
      routes: [...(await socket.routes(4)), ...(await socket.routes(6))],
      device: links.find(({ name }) => name === tunnelName),
    };
  }

  /** What the tunnel needs; without ends it goes. */
  async #tunnelChanges(
    tunnel: Tunnel | string,
    ends: readonly TunnelEnd[],
    { addresses, device }: Surroundings,
  ): Promise<TunnelChanges> {
    const ours = device?.group === tunnelGroup ? device : undefined;
    if (typeof tunnel === 'string' || ends.length === 0)
      return { before: [], after: ours === undefined ? [] : removal(ours) };
    const socket = this.#socket;
    const neighbours = ours === undefined ? [] : [...(await socket.neighbours(4)), ...(await socket.neighbours(6))];
    const forwardings = ours === undefined ? [] : await socket.forwardings();
    return tunnelChanges({ wanted: tunnel, ends, device: ours, addresses, neighbours, forwardings });
  }

  /** Tries all, also behind one that is refused, and then fails with the first refusal. */
  async #send(changes: readonly RouteRequest[]): Promise<void> {
    const failures: unknown[] = [];
    for (let at = 0; at < changes.length; at += largestBatch)
      await this.#socket.apply(changes.slice(at, at + largestBatch)).catch((error: unknown) => {
        failures.push(error);
      });
    if (failures.length > 0) throw failures[0];
  }

  /** Says each thing once, and when it is over. */
  #report({ refusals, unreachable }: NodePlan): void {
    const { log } = this.#options;
    const now = new Map<string, string>();
    const note = ({ node, reason }: Refusal): void => {
      now.set(node, [...(now.get(node)?.split('; ') ?? []), reason].join('; '));
    };
    refusals.forEach(note);
    unreachable.forEach(note);
    for (const [node, reason] of now)
      if (this.#reported.get(node) !== reason) log.warn({ event: 'nodes.not_routed', node }, `node ${node}: ${reason}`);
    for (const node of this.#reported.keys())
      if (!now.has(node)) log.info({ event: 'nodes.well', node }, `node ${node}: nothing is in its way any more`);
    this.#reported.clear();
    for (const [node, reason] of now) this.#reported.set(node, reason);
  }
}
