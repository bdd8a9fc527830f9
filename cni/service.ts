/** The pod network as a service of the agent: starts from what the last agent left, serves CNI calls, stops without a trace in any pod. */
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Logger } from '../kit/log.ts';
import { RecentCalls } from '../kit/recentcalls.ts';
import type { Service } from '../kit/service.ts';
import { familyOf } from '../linux/ipaddress.ts';
import type { Family } from '../linux/ipaddress.ts';
import type { Nftables } from '../linux/nftables/nftables.ts';
import type { RouteSocket } from '../linux/rtnetlink/rtnetlink.ts';
import { Attacher } from './attacher.ts';
import { createHandler } from './calls.ts';
import { networkCares } from './cares.ts';
import type { NetworkConfig } from './config.ts';
import { applyDatapath, forwardIpv4, forwardIpv6, nodeElements } from './datapath.ts';
import { parseSpan } from './exclusions.ts';
import { HostPorts, portMaps } from './hostports.ts';
import { installConflist, installExecutable, socketPath } from './install.ts';
import { formatNetwork, hostNetwork } from './addresses.ts';
import type { Network } from './addresses.ts';
import { networkKernel } from './kernel.ts';
import type { NetworkKernel } from './kernel.ts';
import { LinkRemover } from './linkremover.ts';
import { createMetrics } from './metrics.ts';
import { createNodeGauge } from './nodes/metrics.ts';
import type { NodeSource } from './nodes/nodefacts.ts';
import { NodeRouter } from './nodes/noderouter.ts';
import { releaseRequests } from './plan.ts';
import { AddressPool } from './pool.ts';
import { resolvePodRanges } from './podrange.ts';
import type { PodCidrSource } from './podrange.ts';
import { CallQueue, createQueueCounter } from './queue/callqueue.ts';
import { Reaper, createReapCounter, reapEveryMs } from './reaper.ts';
import { describeAttachment, planRecovery } from './recovery.ts';
import type { RecoveryPlan } from './recovery.ts';
import { RivalWatch } from './rivals.ts';
import { Sandboxes } from './sandbox.ts';
import { CniServer } from './server.ts';
import { AttachmentStore } from './store.ts';
import { TableCare } from './tablecare.ts';
import { TableTurns } from './tableturns.ts';
import { Upkeep, createRepairCounter } from './upkeep.ts';
import { sourcesOf, uplinkOf } from './uplink.ts';
import type { Uplink } from './uplink.ts';
import { attachmentViews, poolViews, routeViews } from './views.ts';

export interface NetworkServiceOptions {
  /** The Node's podCIDRs, asked for when the configuration says `auto`. Resolves once they are known. */
  readonly podCIDR: PodCidrSource;
  /** The Nodes of the cluster; without it no routes to other nodes are made. Asked at each start. */
  readonly nodes?: () => NodeSource;
  readonly log: Logger;
  readonly registry: Registry;
  /** The built CNI executable, which is copied to `cniBinDir`. */
  readonly shimPath: string;
  /** Tests give another. */
  readonly kernel?: NetworkKernel;
  /** Milliseconds between two looks for pods that have gone; tests give another. */
  readonly reapEveryMs?: number;
}

interface Started {
  readonly pool: AddressPool;
  readonly store: AttachmentStore;
  readonly server: CniServer;
  readonly attacher: Attacher;
  readonly upkeep: Upkeep;
  readonly router: NodeRouter;
  /** What the kernel holds open for us. */
  readonly sockets: readonly { close(): void }[];
}

/** The service `network`. Creating it touches nothing; the metrics are registered at once. */
export function createNetworkService(config: NetworkConfig, options: NetworkServiceOptions): Service {
  return new NetworkService(config, options);
}

class NetworkService implements Service {
  readonly name = 'network';
  readonly views = {
    attachments: () => attachmentViews(this.#started?.store.all() ?? []),
    routes: () => routeViews(this.#started?.router.plan()),
    pools: () => poolViews(this.#started?.pool.ranges ?? []),
    calls: () => this.#recent.list(),
  };
  readonly #config: NetworkConfig;
  readonly #options: NetworkServiceOptions;
  readonly #kernel: NetworkKernel;
  readonly #metrics;
  readonly #countQueued;
  readonly #countRepair;
  readonly #countReaped;
  readonly #turns = new TableTurns();
  readonly #recent = new RecentCalls();
  #started: Started | undefined;

  constructor(config: NetworkConfig, options: NetworkServiceOptions) {
    this.#config = config;
    this.#options = options;
    this.#kernel = options.kernel ?? networkKernel;
    this.#metrics = createMetrics(options.registry, () => {
      const pool = this.#started?.pool;
      return pool?.families.map((family) => ({ family, ...pool.usage(family) })) ?? [];
    });
    this.#countQueued = createQueueCounter(options.registry);
    this.#countRepair = createRepairCounter(options.registry);
    this.#countReaped = createReapCounter(options.registry);
    createNodeGauge(options.registry, () => this.#started?.router.counts());
  }

  async start(signal: AbortSignal): Promise<void> {
    const sockets: { close(): void }[] = [];
    try {
      const { podCIDR, log } = this.#options;
      const remembered = join(this.#config.runDir, 'podcidr');
      const ranges = await resolvePodRanges(this.#config.podCIDR, podCIDR, remembered, log, signal);
      const host = this.#kernel.rtnetlink.open();
      sockets.push(host);
      const removals = this.#kernel.rtnetlink.open();
      sockets.push(removals);
      const remover = new LinkRemover(removals);
      const store = new AttachmentStore(join(this.#config.runDir, 'attachments'));
      const uplink = (): Promise<Uplink> => lookAtUplink(host);
      const knownUplink = await uplink();
      const { held, doubtful, release } = await this.#recover(store, host, remover, knownUplink);
      const { betweenNodes, mtu, sysctls } = this.#config;
      const router: NodeRouter = new NodeRouter({
        kernel: this.#kernel,
        source: betweenNodes.mode === 'none' ? undefined : this.#options.nodes?.(),
        mode: betweenNodes.mode === 'none' ? 'routed' : betweenNodes.mode,
        tunnel: { id: betweenNodes.vni, port: betweenNodes.port },
        own: ranges,
        turns: this.#turns,
        restoreTable: () => this.#prepareDatapath(ranges, store, host, () => router.ranges),
        log,
      });
      sockets.push(router);
      await router.load();
      await this.#prepareDatapath(ranges, store, host, () => router.ranges);
      const elements = this.#kernel.openNftables();
      sockets.push(elements);
      const excluded = this.#config.exclude.flatMap((text) => parseSpan(text) ?? []);
      const released = release.map(({ attachment }) => attachment);
      const pool = new AddressPool(ranges, store.all(), { excluded }, { held, released });
      const attacher = new Attacher({
        kernel: this.#kernel,
        host,
        store,
        pool,
        remover,
        ports: this.#hostPorts(store, host, elements),
        uplink,
        knownUplink,
        sandboxes: new Sandboxes(this.#kernel, sysctls),
        mtu: (known) => (mtu === 'auto' ? router.podMtu(known) : mtu),
        log,
        now: Date.now,
      });
      const calls = {
        attacher,
        notReady: () => this.notReady(),
        podsAreCutOff: () => this.#started?.upkeep.podsAreCutOff() ?? false,
        metrics: this.#metrics,
        recent: this.#recent,
        log,
        now: Date.now,
      };
      const queue = new CallQueue(
        this.#config.runDir,
        // A queued GC speaks of what was attached when it was queued.
        ({ variables, stdin, since }) => createHandler({ ...calls, now: () => since })(variables, stdin),
        this.#countQueued,
        log,
      );
      const server = new CniServer(socketPath(this.#config), queue.before(createHandler(calls)), (error) => {
        log.error({ error: error.message }, 'a CNI connection could not be taken');
      });
      signal.throwIfAborted();
      await server.listen();
      try {
        await queue.replay();
        // Only now: what the runtime finds there it uses at once.
        const executable = await installExecutable(this.#options.shimPath, this.#config.cniBinDir);
        const conflist = await installConflist(this.#config);
        const nftables = this.#kernel.openNftables();
        sockets.push(nftables);
        const table = new TableCare({
          nftables,
          turns: this.#turns,
          // The elements of a pod are there from before it is active until after it is no more.
          owned: () => [
            ...portMaps(store.all().filter(({ state }) => state === 'active')),
            ...nodeElements(router.ranges),
          ],
          restore: () => this.#prepareDatapath(ranges, store, host, () => router.ranges),
        });
        const reaper = new Reaper({
          attachments: () => store.all(),
          look: (path) => this.#kernel.namespaces.look(path),
          links: () => host.links(),
          release: (attachment) => attacher.release(attachment),
          removeLinks: (key) => attacher.removeLinks(key),
          spared: new Set(doubtful.map(({ alias }) => alias)),
          count: this.#countReaped,
          log,
        });
        const cares = networkCares({
          config: this.#config,
          shimPath: this.#options.shimPath,
          keepForwarding: async () => {
            const { sysctl } = this.#kernel;
            const repaired = await forwardIpv4(sysctl);
            const hasIpv6 = pool.families.includes(6) || store.all().some(({ addresses }) => addresses.some(isIpv6));
            return (hasIpv6 && (await forwardIpv6(() => defaultLinks6(host), sysctl))) || repaired;
          },
          table,
          queue,
          reaper,
          rivals: new RivalWatch(this.#config, log),
          reapEveryMs: this.#options.reapEveryMs ?? reapEveryMs,
        });
        const upkeep = new Upkeep(cares, this.#countRepair, log);
        await upkeep.start();
        router.start();
        this.#started = { pool, store, server, attacher, upkeep, router, sockets };
        log.info(
          {
            podCIDR: ranges.map(formatNetwork),
            attachments: store.all().length,
            uplink: knownUplink,
            executable,
            conflist,
          },
          'the pod network is ready',
        );
      } catch (error) {
        await server.close(AbortSignal.abort());
        throw error;
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const started = this.#started;
    if (started === undefined) return;
    this.#started = undefined;
    // The configuration list stays: without it the runtime cannot delete pods. So do links, routes and the nft table.
    await started.upkeep.stop();
    await started.router.stop();
    await started.server.close(deadline);
    await started.attacher.settle();
    for (const socket of started.sockets) socket.close();
  }

  notReady(): string | undefined {
    if (this.#started === undefined) return 'the pod network has not started';
    const { pool, upkeep } = this.#started;
    const broken = upkeep.notReady();
    if (broken !== undefined) return broken;
    return pool.exhausted();
  }

  /**
   * Undoes what was half done, removes what nobody owns, repairs what living attachments lack. Returns what was undone, and
   * what no record tells: addresses that are in use, and links that stay.
   */
  async #recover(
    store: AttachmentStore,
    host: RouteSocket,
    remover: LinkRemover,
    uplink: Uplink,
  ): Promise<Pick<RecoveryPlan, 'held' | 'doubtful' | 'release'>> {
    const { log } = this.#options;
    const unreadable = await store.load();
    for (const { file, reason } of unreadable)
      log.error({ file, reason }, 'this file is no record of an attachment that can be read; it is left alone');
    const plan = planRecovery({
      attachments: store.all(),
      unreadable: unreadable.map(({ name }) => name),
      links: await host.links(),
      routes: [...(await host.routes(4)), ...(await host.routes(6))],
      neighbours: [...(await host.neighbours(4)), ...(await host.neighbours(6))],
      shapes: await host.shapes(),
      look: (path) => this.#kernel.namespaces.look(path),
      sources: sourcesOf(uplink),
    });
    await Promise.all([
      ...plan.orphans.map(async (link) => {
        log.warn({ link: link.name, alias: link.alias }, 'removing a link of ours that no attachment owns');
        await remover.remove(link.index);
      }),
      ...plan.release.map(async ({ attachment, links, reason }) => {
        log.info({ attachment: describeAttachment(attachment), reason }, 'releasing an attachment');
        await host.apply(releaseRequests(attachment));
        await Promise.all(links.map(({ index }) => remover.remove(index)));
        store.remove(attachment);
      }),
    ]);
    for (const request of plan.repairs) {
      log.warn({ request }, 'repairing what a living attachment lacks');
      await host.apply([request]);
    }
    for (const { name, alias } of plan.doubtful)
      log.error({ link: name, alias }, 'the record of this link cannot be read: it is left as it is until its DEL');
    return plan;
  }

  async #prepareDatapath(
    ranges: readonly Network[],
    store: AttachmentStore,
    host: RouteSocket,
    nodes: () => readonly string[],
  ): Promise<void> {
    const nftables = this.#kernel.openNftables();
    try {
      const uplinks6 = await defaultLinks6(host);
      await this.#turns.take(async (change) => {
        const attachments = store.all();
        const input = {
          // Pods that got their address from an earlier range live on.
          pods: [...ranges.map(formatNetwork), ...attachments.flatMap(({ addresses }) => addresses.map(hostNetwork))],
          masquerade: this.#config.masquerade,
          direct: this.#config.nonMasqueradeCIDRs,
          ports: portMaps(attachments),
          nodes: nodes(),
          uplinks6,
        };
        await applyDatapath(input, (commands) => change(nftables, commands), this.#kernel.sysctl);
      });
    } finally {
      nftables.close();
    }
  }

  #hostPorts(store: AttachmentStore, host: RouteSocket, nftables: Nftables): HostPorts {
    const local = async (family: Family): Promise<readonly string[]> =>
      (await host.addresses(family)).map(({ address }) => address.replace(/\/.*/, ''));
    return new HostPorts({ nftables, conntrack: this.#kernel.conntrack, turns: this.#turns, local }, store.all());
  }
}

async function lookAtUplink(host: RouteSocket): Promise<Uplink> {
  const links = await host.links();
  const four = uplinkOf(links, await host.addresses(4), await host.routes(4));
  const { address } = uplinkOf(links, await host.addresses(6), await host.routes(6));
  return { ...four, ...(address === undefined ? {} : { address6: address }) };
}

function isIpv6(address: string): boolean {
  return familyOf(address) === 6;
}

/** Names of the links with a default route of IPv6. */
async function defaultLinks6(host: RouteSocket): Promise<readonly string[]> {
  const routes = (await host.routes(6)).filter(({ destination }) => destination === '::/0');
  return (await host.links())
    .filter(({ index }) => routes.some((route) => route.index === index))
    .map(({ name }) => name);
}
