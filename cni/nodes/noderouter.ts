/** Keeps the routes to other nodes' pods as the Nodes say, while they come, change and go. Does not touch routes of others. */
import type { Logger } from '../../kit/log.ts';
import { coalesce } from '../../kit/coalesce.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Nftables } from '../../linux/nftables/nftables.ts';
import { largestBatch } from '../../linux/rtnetlink/rtnetlink.ts';
import type { RouteRequest, RouteSocket } from '../../linux/rtnetlink/rtnetlink.ts';
import type { Network } from '../addresses.ts';
import type { NetworkKernel } from '../kernel.ts';
import type { NodeFacts, NodeSource } from './nodefacts.ts';
import { NodeRanges } from './noderanges.ts';
import { planNodeRoutes, routeChanges } from './noderoutes.ts';
import type { NodePlan } from './noderoutes.ts';
import type { Refusal } from './ranges.ts';

export interface NodeRouterOptions {
  readonly kernel: Pick<NetworkKernel, 'rtnetlink' | 'openNftables'>;
  /** Where the Nodes are followed; without it there are no other nodes, and what an earlier agent made for them goes. */
  readonly source: NodeSource | undefined;
  /** Pod ranges of this node. */
  readonly own: readonly Network[];
  /** Makes the nft table anew, with `ranges`. */
  readonly restoreTable: () => Promise<void>;
  readonly log: Logger;
  /** Milliseconds between looks at the kernel without a reason. */
  readonly resync?: number;
}

export interface NodeCounts {
  readonly routed: number;
  readonly unreachable: number;
  readonly refused: number;
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
  #failure = '';

  /** Opens what it needs of the kernel; `close` or `stop` gives it back. */
  constructor(options: NodeRouterOptions) {
    this.#options = options;
    this.#nftables = options.kernel.openNftables();
    this.#socket = options.kernel.rtnetlink.open();
    this.#ranges = new NodeRanges(this.#nftables, options.restoreTable);
    this.#sync = coalesce(() => this.#apply());
  }

  /** Pod ranges of other nodes that the nft table has to have. */
  get ranges(): readonly string[] {
    return this.#ranges.current;
  }

  /** Takes over what an earlier agent left in the kernel, before the table is made anew. */
  async load(): Promise<void> {
    await this.#ranges.load();
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

  async #apply(): Promise<void> {
    const { own, source, log } = this.#options;
    const socket = this.#socket;
    if (this.#nodes === undefined || this.#end.signal.aborted) return;
    try {
      const links = await socket.links();
      const addresses = [...(await socket.addresses(4)), ...(await socket.addresses(6))];
      const routes = [...(await socket.routes(4)), ...(await socket.routes(6))];
      const plan = planNodeRoutes({ nodeName: source?.name ?? '', nodes: this.#nodes, own, links, addresses, routes });
      this.#report(plan);
      const changes = routeChanges(plan.routes, routes);
      // First the ranges: a packet that takes a new route must keep its address.
      await this.#ranges.set(plan.ranges);
      await this.#send(changes);
      this.#counts = {
        routed: plan.routes.length,
        unreachable: plan.unreachable.length,
        refused: plan.refusals.length,
      };
      if (changes.length > 0)
        log.info(
          { event: 'nodes.routes_changed', changes: changes.length, routes: plan.routes.length },
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
