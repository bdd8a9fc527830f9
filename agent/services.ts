/** The wiring: which services a NodeConfig asks for, each with what it needs. The only place where all three plugins meet. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { NodeSource } from '../cni/nodes/nodefacts.ts';
import { createNetworkService } from '../cni/service.ts';
import { createStorageService } from '../csi/service.ts';
import { createDeviceService } from '../deviceplugin/service.ts';
import { BerthError } from '../kit/errors.ts';
import type { Latest } from '../kit/latest.ts';
import type { Logger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';
import { readContainerRuntime, readsCdiFiles } from './containerruntime.ts';
import { inClusterAccess, kubeconfigAccess } from './kubernetes/access.ts';
import type { ReadAccess } from './kubernetes/access.ts';
import { createApiClient } from './kubernetes/client.ts';
import { follow } from './kubernetes/follow.ts';
import { nodeCollection } from './kubernetes/nodes.ts';
import { readPodRanges } from './kubernetes/podranges.ts';
import { createWatchGauge } from './metrics.ts';
import { NetworkCondition } from './networkcondition.ts';
import type { NodeConfig } from './nodeconfig.ts';
import { plugins } from './part.ts';
import { EventRecorder } from './report/eventrecorder.ts';
import { gatherViews } from './report/gather.ts';
import { NodeRecord } from './report/noderecord.ts';
import { NodeReporter } from './report/nodereporter.ts';
import { StartupTaint } from './report/startuptaint.ts';
import { Bearers } from './scrape/bearers.ts';
import { createReview } from './scrape/review.ts';
import { ScrapeServer } from './scrape/scrapeserver.ts';
import { version } from './version.ts';

export interface Surroundings {
  readonly log: Logger;
  readonly registry: Registry;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What runs, as it changes; without it nothing does. */
  readonly running?: Latest<NodeConfig>;
}

/** One service per section, in the order in which a pod meets them. Makes nothing yet: `start` does. */
export function createServices(config: NodeConfig, surroundings: Surroundings): readonly Service[] {
  const { registry, env, running } = surroundings;
  const { agent, network, devices, storage } = config;
  const kubeletRoot = config.kubelet.rootDir;
  const logOf = (component: string): Logger => surroundings.log.child({ component });
  const nodeName = (): string => {
    const name = agent.nodeName ?? env['NODE_NAME'] ?? '';
    if (name === '') throw new BerthError('CONFIG_INVALID', 'agent.nodeName is missing, and NODE_NAME is not set');
    return name;
  };
  const access = accessOf(agent.kubeconfig, env);
  const watchIsUp = createWatchGauge(registry);
  const nodes = (): NodeSource => {
    const onState = (up: boolean): void => {
      watchIsUp('nodes', up);
    };
    const options = { readAccess: access, log: logOf('network'), onState };
    return { name: nodeName(), follow: (changed, signal) => follow(nodeCollection, options, changed, signal) };
  };
  const podCIDR = async (signal: AbortSignal): Promise<readonly string[]> => {
    const source = {
      client: createApiClient(access),
      nodeName: nodeName(),
      stateDir: agent.stateDir,
      log: logOf('network'),
    };
    return await readPodRanges(source, signal);
  };
  return [
    ...(network === undefined
      ? []
      : [createNetworkService(network, { podCIDR, nodes, log: logOf('network'), registry, shimPath: shimPath() })]),
    ...(devices === undefined
      ? []
      : [
          createDeviceService(devices, {
            kubeletRoot,
            stateDir: agent.stateDir,
            log: logOf('devices'),
            registry,
            onRules: (changed) => {
              running?.onChange(() => {
                if (running.value.devices !== undefined) changed(running.value.devices);
              }, new AbortController().signal);
            },
            readsCdi: async (signal) =>
              readsCdiFiles(await readContainerRuntime(createApiClient(access), nodeName(), signal)),
          }),
        ]),
    ...(storage === undefined
      ? []
      : [
          createStorageService(storage, {
            nodeName: nodeName(),
            kubeletRoot,
            log: logOf('storage'),
            registry,
            version,
          }),
        ]),
  ];
}

/** Makes what tells the API server about the pod network; undefined where nobody says which Node this is. */
export function networkConditionOf(
  { agent }: NodeConfig,
  { env, log }: Pick<Surroundings, 'env' | 'log'>,
): ((notReady: () => string | undefined) => NetworkCondition) | undefined {
  const nodeName = agent.nodeName ?? env['NODE_NAME'] ?? '';
  if (nodeName === '') return undefined;
  const client = createApiClient(accessOf(agent.kubeconfig, env));
  return (notReady) => new NetworkCondition({ client, nodeName, notReady, log: log.child({ component: 'network' }) });
}

/** Makes what tells the cluster how this node is; undefined where nobody says which Node this is. Makes nothing yet: `start` does. */
export function nodeReporterOf(
  whole: NodeConfig,
  { env, log }: Pick<Surroundings, 'env' | 'log'>,
): NodeReporter | undefined {
  const { agent } = whole;
  const nodeName = agent.nodeName ?? env['NODE_NAME'] ?? '';
  if (nodeName === '') return undefined;
  const client = createApiClient(accessOf(agent.kubeconfig, env));
  const parts = { client, nodeName, log: log.child({ component: 'report' }) };
  const configured = plugins.filter((each) => whole[each] !== undefined);
  return new NodeReporter({
    nodeName,
    version,
    look: () => gatherViews(agent.socket, configured),
    record: new NodeRecord(parts),
    events: new EventRecorder(parts),
    taint: agent.startupTaint === undefined ? undefined : new StartupTaint({ ...parts, key: agent.startupTaint }),
  });
}

/**
 * Makes what serves metrics to the cluster's Prometheus; undefined where the configuration asks for none. Makes nothing yet: `start` does.
 * Throws CONFIG_INVALID when nobody says what the node's address is.
 */
export function scrapeServerOf({ agent }: NodeConfig, { env, log, registry }: Surroundings): ScrapeServer | undefined {
  const { metrics } = agent;
  if (metrics === undefined) return undefined;
  const { port, certFile, keyFile } = metrics;
  const address = metrics.address === 'node' ? (env['NODE_IP'] ?? '') : metrics.address;
  if (address === '')
    throw new BerthError('CONFIG_INVALID', 'agent.metrics.address is node, and NODE_IP is not set; name an IP address');
  const own = log.child({ component: 'metrics' });
  return new ScrapeServer({
    address,
    port,
    files: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    bearers: new Bearers(createReview(createApiClient(accessOf(agent.kubeconfig, env))), { log: own }),
    metrics: () => registry.metrics(),
    metricsType: registry.contentType,
    log: own,
  });
}

function accessOf(kubeconfig: string | undefined, env: Surroundings['env']): ReadAccess {
  return kubeconfig === undefined ? inClusterAccess(env) : kubeconfigAccess(kubeconfig);
}

/** The built CNI executable: beside the bundle, or in dist/ when the agent runs from source. */
function shimPath(): string {
  const beside = join(import.meta.dirname, 'cni/berth');
  return existsSync(beside) ? beside : join(import.meta.dirname, '../dist/cni/berth');
}
