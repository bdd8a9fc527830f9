/**
 * The storage plugin as a service of the agent: opens the pool, brings it in order, serves CSI on
 * `<kubelet root>/plugins/<driver>/csi.sock` and registers with the kubelet.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Registry } from 'prom-client';
import { asBerthError, BerthError, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';
import { watchDirectory } from '../kit/directorywatch.ts';
import { createRegistrar } from '../kubelet/registrar.ts';
import type { Registrar } from '../kubelet/registrar.ts';
import { kernelFilesystems } from '../linux/filesystem.ts';
import type { Filesystems } from '../linux/filesystem.ts';
import { kernelLoopDevices } from '../linux/loop.ts';
import type { LoopDevices } from '../linux/loop.ts';
import { kernelMounts } from '../linux/mount.ts';
import type { Mounts } from '../linux/mount.ts';
import { coveringMount } from '../linux/mountinfo.ts';
import { serve } from '../protos/serve.ts';
import type { GrpcServer } from '../protos/serve.ts';
import type { StorageConfig } from './config.ts';
import { controllerHandlers } from './edge/controller.ts';
import { identityHandlers } from './edge/identity.ts';
import { nodeHandlers } from './edge/node.ts';
import { topologyOf } from './edge/topology.ts';
import { imageEngine } from './imageengine.ts';
import type { AtPoint } from './faultpoints.ts';
import { Ledger } from './ledger.ts';
import { storageMetrics } from './metrics.ts';
import type { StorageMetrics } from './metrics.ts';
import { NodeState } from './nodestate.ts';
import { NodeVolumes } from './nodevolumes.ts';
import { openPool } from './pool.ts';
import type { Pool } from './pool.ts';
import { reconcile } from './reconcile.ts';
import { recordStore } from './store.ts';
import { Volumes } from './volumes.ts';

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
  readonly kernel?: { readonly mounts: Mounts; readonly loops: LoopDevices; readonly filesystems: Filesystems };
  /** Called at the named points of the journal; tests end the process there. */
  readonly atPoint?: AtPoint;
}

/** What runs between start and stop. */
interface Running {
  readonly pool: Pool;
  readonly ledger: Ledger;
  readonly volumes: Volumes;
  readonly registrar: Registrar;
  readonly end: AbortController;
  readonly stopServing: (deadline: AbortSignal) => Promise<void>;
}

/** The path of the driver's socket, which csi-provisioner mounts the folder of. */
export function driverSocketPath(kubeletRoot: string, driverName: string): string {
  return join(kubeletRoot, 'plugins', driverName, 'csi.sock');
}

/** The storage plugin. `start` may be called again after `stop` or after a failed start. */
export function createStorageService(config: StorageConfig, options: StorageOptions): Service {
  const { kubeletRoot, log, registry } = options;
  const kernel = options.kernel ?? {
    mounts: kernelMounts(),
    loops: kernelLoopDevices(),
    filesystems: kernelFilesystems(),
  };
  let running: Running | undefined;

  const metrics = storageMetrics(registry, async () => {
    if (running === undefined) return undefined;
    const { pool, ledger, volumes } = running;
    const available = await ledger.available().catch(() => 0n);
    return { pool: pool.name, volumes: volumes.all().length, reserved: ledger.reserved, available };
  });

  /** Mounts must reach the node and the pods, or pods write into an empty folder of the node's disk. */
  const propagationFault = async (): Promise<string | undefined> => {
    const mount = coveringMount(await kernel.mounts.list(), kubeletRoot);
    if (mount?.tags.some((tag) => tag.startsWith('shared:')) === true) return undefined;
    return `${kubeletRoot} is not a shared mount, so pods would not see their volumes; mount it with mountPropagation: Bidirectional`;
  };

  return {
    name: 'storage',
    async start(signal) {
      const fault = await propagationFault();
      if (fault !== undefined) throw new BerthError('FAILED_PRECONDITION', fault);
      const [poolConfig] = config.pools;
      if (poolConfig === undefined) throw new BerthError('CONFIG_INVALID', 'storage.pools names no pool');
      const pool = await openPool(poolConfig, options.nodeName);
      try {
        signal.throwIfAborted();
        running = await startOnPool(pool, config, { ...options, kernel, metrics, fault: propagationFault });
      } catch (error) {
        await pool.close();
        throw asBerthError(error);
      }
    },
    async stop(deadline) {
      if (running === undefined) return;
      const { pool, volumes, registrar, end, stopServing } = running;
      running = undefined;
      end.abort();
      await registrar.stop(deadline);
      await stopServing(deadline);
      // An operation outlives its call; the pool is let go when it has ended, or when there is no more time.
      const late = new Promise<void>((resolve) => {
        if (deadline.aborted) resolve();
        deadline.addEventListener('abort', () => {
          resolve();
        });
      });
      await Promise.race([volumes.idle(), late]);
      await pool.close().catch((error: unknown) => {
        log.warn({ event: 'pool.close_failed', reason: messageOf(error) }, 'pool could not be closed');
      });
    },
    notReady() {
      if (running === undefined) return 'the storage plugin is not running';
      const status = running.registrar.status();
      return status.state === 'registered' ? undefined : `storage: ${status.reason}`;
    },
  };
}

interface StartParts extends StorageOptions {
  readonly kernel: NonNullable<StorageOptions['kernel']>;
  readonly metrics: StorageMetrics;
  readonly fault: () => Promise<string | undefined>;
}

async function startOnPool(pool: Pool, config: StorageConfig, parts: StartParts): Promise<Running> {
  const { kernel, kubeletRoot, log, metrics, nodeName } = parts;
  const { mounts, filesystems } = kernel;
  const atPoint: AtPoint = parts.atPoint ?? ((): void => undefined);
  const capacity = config.pools.find(({ name }) => name === pool.name)?.capacity;
  const ledger = new Ledger(pool.name, capacity, async () => (await filesystems.usage(pool.path)).bytes);
  const store = recordStore(pool.folders.meta);
  const engine = imageEngine({ ...kernel, folders: pool.folders, atPoint });
  const nodeState = new NodeState(join(config.runDir, pool.id));
  const volumes = new Volumes({ pool, store, ledger, engine, nodeState, log, atPoint });
  metrics.onFindings(await reconcile({ store, ledger, engine, nodeState, volumes, log }));

  const nodeVolumes = new NodeVolumes({ volumes, engine, nodeState, mounts, filesystems, kubeletRoot, atPoint });
  const topology = topologyOf(config.driverName, pool.node);
  const { driverName, maxVolumes } = config;
  const services = {
    'csi.v1.Identity': identityHandlers({ driverName, version: parts.version ?? 'development', fault: parts.fault }),
    'csi.v1.Controller': controllerHandlers({ volumes, ledger, offers: engine.offers, poolName: pool.name, topology }),
    'csi.v1.Node': nodeHandlers({ nodeVolumes, kubeletRoot, nodeName, maxVolumes, topology }),
  };
  const path = driverSocketPath(kubeletRoot, driverName);
  const serveHere = async (): Promise<GrpcServer> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    // The pool's lock says that no other Berth serves; what answers here is one that is about to end.
    return await serve({ path, services, log, takeOver: true, onCall: metrics.onCall });
  };
  let server = await serveHere();
  const registrar = createRegistrar({
    rootDir: kubeletRoot,
    type: 'CSIPlugin',
    name: driverName,
    endpoint: path,
    versions: ['1.0.0'],
    log,
  });
  const end = new AbortController();
  let looking: Promise<void> = Promise.resolve();
  let complained: string | undefined;
  // Somebody who cleans up the kubelet's folder takes the socket with it: nobody could call any more, and no one would say so.
  const look = async (): Promise<void> => {
    if (end.signal.aborted || (await server.lives())) return;
    if (complained === undefined)
      log.warn({ event: 'csi.socket_vanished', path }, 'driver socket vanished; serving again');
    try {
      const next = await serveHere();
      await server.stop();
      server = next;
      complained = undefined;
    } catch (error) {
      const reason = messageOf(error);
      // It is tried every second; a full disk must not become fuller by the log of it.
      if (reason !== complained)
        log.error({ event: 'csi.socket_failed', path, reason }, 'driver socket could not be made again');
      complained = reason;
    }
  };
  try {
    registrar.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  watchDirectory(dirname(path), () => (looking = look()), { signal: end.signal });
  const stopServing = async (deadline: AbortSignal): Promise<void> => {
    await looking;
    await server.stop(deadline);
  };
  return { pool, ledger, volumes, registrar, end, stopServing };
}
