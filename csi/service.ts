/**
 * The storage plugin as a service of the agent: opens the pools, brings them in order, serves CSI on
 * `<kubelet root>/plugins/<driver>/csi.sock` and registers with the kubelet.
 */
import type { Registry } from 'prom-client';
import { pause } from '../kit/backoff.ts';
import { asBerthError, BerthError, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { RecentCalls } from '../kit/recentcalls.ts';
import type { Service } from '../kit/service.ts';
import { coveringMount } from '../linux/mountinfo.ts';
import type { PoolConfig, StorageConfig } from './config.ts';
import { controllerHandlers } from './edge/controller.ts';
import { groupControllerHandlers } from './edge/groupcontroller.ts';
import { identityHandlers } from './edge/identity.ts';
import { nodeHandlers } from './edge/node.ts';
import { snapshotMetadataHandlers } from './edge/snapshotmetadata.ts';
import { topologyOf } from './edge/topology.ts';
import { engineFor } from './engines.ts';
import type { AtPoint } from './faultpoints.ts';
import { realKernel } from './kernel.ts';
import type { StorageKernel } from './kernel.ts';
import { storageMetrics } from './metrics.ts';
import type { PoolFigures, StorageMetrics } from './metrics.ts';
import { startPool } from './openpool.ts';
import type { OpenPool } from './openpool.ts';
import { openPool } from './pool.ts';
import { HealthWatch } from './healthwatch.ts';
import type { OnHealthChange } from './healthwatch.ts';
import { poolFigures } from './poolfigures.ts';
import { Pools } from './pools.ts';
import { noting } from './recent.ts';
import { startServing } from './serving.ts';
import type { Serving } from './serving.ts';
import { StorageHealth } from './storagehealth.ts';
import { storageViews } from './storageviews.ts';
import { keepTrash } from './trashkeeping.ts';
import { volumeMetrics } from './volumemetrics.ts';
import { VolumeLimits } from './volumelimits.ts';

export interface StorageOptions {
  /** The Kubernetes node name: the CSI node ID, and the topology of a pool made here. */
  readonly nodeName: string;
  /** The kubelet's root directory, at the same path in this process and in the kubelet. */
  readonly kubeletRoot: string;
  readonly log: Logger;
  readonly registry: Registry;
  /** What GetPluginInfo answers. */
  readonly version?: string;
  /** The kernel; tests bring another. */
  readonly kernel?: StorageKernel;
  /** Called at the named points of the journal; tests end the process there. */
  readonly atPoint?: AtPoint;
}

/** A disk may be mounted, or repaired, while the agent runs; nobody tells us. */
const poolRetryMs = 10_000;

/** Between start and stop. */
interface Running {
  readonly pools: Pools;
  readonly serving: Serving;
  readonly end: AbortController;
  readonly watch: HealthWatch;
  /** Pools that could not be opened, with the reason. */
  readonly missing: Map<string, string>;
  retrying: Promise<void>;
  readonly keepingTrash: Promise<void>;
}

interface StartParts extends StorageOptions {
  readonly kernel: StorageKernel;
  readonly limits: VolumeLimits;
  readonly metrics: StorageMetrics;
  readonly onHealthChange: OnHealthChange;
  readonly fault: () => Promise<string | undefined>;
}

/** The storage plugin. `start` may be called again after `stop` or after a failed start. */
export function createStorageService(config: StorageConfig, options: StorageOptions): Service {
  const { kubeletRoot, log, registry } = options;
  const kernel = options.kernel ?? realKernel();
  const limits = new VolumeLimits({ cgroups: kernel.cgroups, kubeletRoot, log });
  const recent = new RecentCalls();
  let running: Running | undefined;

  const figures = async (): Promise<readonly PoolFigures[]> =>
    await Promise.all((running?.pools.all() ?? []).map((each) => poolFigures(each, kernel)));
  const metrics = noting(recent, storageMetrics(registry, figures));
  const onHealthChange = volumeMetrics(registry, () => running?.watch);

  /** Mounts must reach the node and the pods, or pods write into an empty folder of the node's disk. */
  const fault = async (): Promise<string | undefined> => {
    const mount = coveringMount(await kernel.mounts.listNow(), kubeletRoot);
    if (mount?.tags.some((tag) => tag.startsWith('shared:')) === true) return undefined;
    return `${kubeletRoot} is not a shared mount, so pods would not see their volumes; mount it with mountPropagation: Bidirectional`;
  };

  return {
    name: 'storage',
    ...storageViews({
      configured: config.pools,
      driverName: config.driverName,
      kernel,
      recent,
      running: () => running,
    }),
    async start(signal) {
      const reason = await fault();
      if (reason !== undefined) throw new BerthError('FAILED_PRECONDITION', reason);
      running = await startStorage(config, { ...options, kernel, limits, metrics, onHealthChange, fault }, signal);
    },
    async stop(deadline) {
      if (running === undefined) return;
      const { pools, serving, end, watch, retrying, keepingTrash } = running;
      running = undefined;
      end.abort();
      await serving.stop(deadline);
      // An operation outlives its call; the pools are let go when it has ended, or when there is no more time.
      const late = new Promise<void>((resolve) => {
        if (deadline.aborted) resolve();
        deadline.addEventListener('abort', () => {
          resolve();
        });
      });
      await Promise.race([Promise.all([retrying, keepingTrash, watch.ended(), pools.idle()]), late]);
      limits.stop();
      await closePools(pools.all(), log);
    },
    notReady() {
      if (running === undefined) return 'the storage plugin is not running';
      const [missing] = running.missing.values();
      if (missing !== undefined) return `storage: ${missing}`;
      const status = running.serving.registrar.status();
      return status.state === 'registered' ? undefined : `storage: ${status.reason}`;
    },
  };
}

async function startStorage(config: StorageConfig, parts: StartParts, signal: AbortSignal): Promise<Running> {
  const { kubeletRoot, log, metrics, nodeName, version = 'development' } = parts;
  const { driverName, maxVolumes, central, ephemeral } = config;
  const health = new StorageHealth(parts.kernel);
  const open: OpenPool[] = [];
  const missing = new Map<string, string>();
  let first: unknown;
  try {
    for (const pool of config.pools) {
      signal.throwIfAborted();
      try {
        open.push(await openOne(pool, config, open, parts));
      } catch (error) {
        first ??= error;
        missing.set(pool.name, messageOf(error));
      }
    }
    const [some] = open;
    if (some === undefined) throw asBerthError(first);
    const pools = new Pools(open);
    const topology = topologyOf(driverName, some.pool.node);
    const told = { mode: config.health, pools, health, missing };
    const services = {
      'csi.v1.Identity': identityHandlers({ driverName, version, fault: parts.fault }),
      'csi.v1.Controller': controllerHandlers({ pools, topology, central, health: told }),
      'csi.v1.GroupController': groupControllerHandlers(pools),
      'csi.v1.SnapshotMetadata': snapshotMetadataHandlers(pools),
      'csi.v1.Node': nodeHandlers({ pools, kubeletRoot, nodeName, maxVolumes, topology, ephemeral, health: told }),
    };
    const serving = await startServing({ kubeletRoot, driverName, services, log, onCall: metrics.onCall });
    const end = new AbortController();
    const keepingTrash = keepTrash(
      () => pools.all().map(({ parts: { trash, ledger } }) => ({ trash, ledger })),
      end.signal,
    );
    const watch = new HealthWatch({ pools, health, log, onChange: parts.onHealthChange });
    watch.start(end.signal);
    const running: Running = { pools, serving, end, watch, missing, retrying: Promise.resolve(), keepingTrash };
    if (missing.size > 0) running.retrying = retry(running, config, parts);
    return running;
  } catch (error) {
    await closePools(open, log);
    throw error;
  }
}

/** A pool that is gone keeps nobody from the volumes of the others. */
async function retry({ pools, end, missing }: Running, config: StorageConfig, parts: StartParts): Promise<void> {
  for (const [name, reason] of missing)
    parts.log.error({ event: 'pool.missing', pool: name, reason }, 'pool could not be opened; it is tried again');
  while (missing.size > 0) {
    if (!(await pause(poolRetryMs, end.signal))) return;
    for (const pool of config.pools.filter(({ name }) => missing.has(name))) {
      try {
        pools.add(await openOne(pool, config, pools.all(), parts));
        missing.delete(pool.name);
        parts.log.info({ event: 'pool.opened', pool: pool.name }, 'pool is there again');
      } catch (error) {
        missing.set(pool.name, messageOf(error));
      }
    }
  }
}

async function openOne(
  poolConfig: PoolConfig,
  config: StorageConfig,
  others: readonly OpenPool[],
  { kernel, kubeletRoot, limits, log, metrics, nodeName, atPoint = () => undefined }: StartParts,
): Promise<OpenPool> {
  const pool = await openPool(poolConfig, nodeName);
  try {
    assertFits(pool, others);
    const engine = await engineFor(poolConfig.engine, { ...kernel, pool, atPoint });
    const open = await startPool(pool, poolConfig, engine, {
      kernel,
      kubeletRoot,
      runDir: config.runDir,
      limits,
      onFrozen: metrics.onFrozen,
      log: log.child({ pool: pool.name }),
      atPoint,
    });
    metrics.onFindings(pool.name, open.findings);
    return open;
  } catch (error) {
    await pool.close();
    throw asBerthError(error);
  }
}

/** One node has one topology, and an ID leads to one pool. */
function assertFits(pool: OpenPool['pool'], others: readonly OpenPool[]): void {
  for (const { pool: other } of others) {
    if (other.id === pool.id)
      throw new BerthError(
        'FAILED_PRECONDITION',
        `pools "${other.name}" and "${pool.name}" have the same ID ${pool.id}: one is a copy of the other; take it out of the configuration`,
      );
    if (other.node !== pool.node)
      throw new BerthError(
        'FAILED_PRECONDITION',
        `pool "${pool.name}" was made on node "${pool.node}", pool "${other.name}" on "${other.node}"; volumes of both cannot be reached on one node: bring the disk back, or take the pool out of the configuration`,
      );
  }
}

async function closePools(open: readonly OpenPool[], log: Logger): Promise<void> {
  for (const { pool } of open) {
    await pool.close().catch((error: unknown) => {
      log.warn({ event: 'pool.close_failed', pool: pool.name, reason: messageOf(error) }, 'pool could not be closed');
    });
  }
}
