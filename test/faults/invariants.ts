/**
 * Design §4 on a running cluster: everything of ours has an owner and everything owned is there. Empty means all hold. What
 * is read is read here and in `invariants/read…`; what is decided stands beside them, pure and tested by planted violations.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Cluster } from '../../cluster/cluster.ts';
import { storageSchema } from '../../csi/config.ts';
import type { StorageConfig } from '../../csi/config.ts';
import { manifestFolder } from '../../scripts/deploy.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { addressViolations, attachmentViolations } from './invariants/attachments.ts';
import { deviceViolations } from './invariants/devices.ts';
import { elementViolations } from './invariants/elements.ts';
import { linkViolations } from './invariants/links.ts';
import { nodeRouteViolations } from './invariants/noderoutes.ts';
import type { NodeObject, PodState } from './invariants/nodestate.ts';
import { readDevices } from './invariants/readdevices.ts';
import { readNetwork } from './invariants/readnetwork.ts';
import { readStorage } from './invariants/readstorage.ts';
import { snapshotViolations, storageViolations, volumeViolations } from './invariants/storage.ts';

interface PersistentVolume {
  readonly spec: { readonly csi?: { readonly driver: string; readonly volumeHandle: string } };
}

interface SnapshotContent {
  readonly spec: { readonly driver: string };
  readonly status?: { readonly snapshotHandle?: string };
}

interface ApiNode {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDRs?: readonly string[] };
  readonly status: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly allocatable?: Readonly<Record<string, string>>;
  };
}

const configuration = z.object({
  devices: z.object({
    resources: z.array(
      z.object({ name: z.string(), paths: z.array(z.string()), sharing: z.object({ replicas: z.number() }) }),
    ),
  }),
});

/** The storage section that the agents run with: tests give them others. */
async function storageConfig(cluster: Cluster): Promise<StorageConfig> {
  const inBerth = ['-n', 'berth-system'];
  const volumes = '{.spec.template.spec.volumes[?(@.name=="config")].configMap.name}';
  const name = await kubectl(cluster, ['get', 'daemonset', 'berth', ...inBerth, '-o', `jsonpath=${volumes}`]);
  const { data } = JSON.parse(await kubectl(cluster, ['get', 'configmap', name, ...inBerth, '-o', 'json'])) as {
    readonly data: Readonly<Record<string, string>>;
  };
  const { storage } = z.object({ storage: storageSchema }).parse(parse(data['config.yaml'] ?? ''));
  return storage;
}

/** One sentence for each violation, over all nodes. */
export async function findViolations(cluster: Cluster): Promise<readonly string[]> {
  const living = (await listPods(cluster)).filter(
    ({ status }) => status.phase === 'Running' || status.phase === 'Pending',
  );
  const volumes = await list<PersistentVolume>(cluster, 'pv');
  const handles = volumes.flatMap(({ spec }) => (spec.csi?.driver === 'csi.berth.dev' ? [spec.csi.volumeHandle] : []));
  const contents = await list<SnapshotContent>(cluster, 'volumesnapshotcontents').catch(() => undefined);
  const pools = await storageConfig(cluster);
  const nodes = await list<ApiNode>(cluster, 'nodes');
  const objects = nodes.map(objectOf);
  const { devices } = configuration.parse(parse(readFileSync(join(manifestFolder, 'config.yaml'), 'utf8')));
  const configured = devices.resources.map(({ name, paths, sharing }) => ({ name, paths, ...sharing }));

  const looks = await Promise.all(
    cluster.nodes.map(async (node) => {
      const network = await readNetwork(node, podsOn(node.name, living));
      const storage = await readStorage(node, pools);
      const allocatable = nodes.find(({ metadata }) => metadata.name === node.name)?.status.allocatable ?? {};
      const sentences = [
        ...attachmentViolations(network),
        ...linkViolations(network),
        ...elementViolations(network, objects),
        ...nodeRouteViolations(network, objects),
        ...storageViolations(storage),
        ...deviceViolations(await readDevices(node, configured, allocatable)),
      ];
      return { network, storage, sentences: sentences.map((sentence) => `${node.name}: ${sentence}`) };
    }),
  );
  return [
    ...looks.flatMap(({ sentences }) => sentences),
    ...addressViolations(looks.map(({ network }) => network)),
    ...volumeViolations(
      looks.map(({ storage }) => storage),
      handles,
    ),
    // Only where the cluster has snapshots at all.
    ...(contents === undefined
      ? []
      : snapshotViolations(
          looks.map(({ storage }) => storage),
          contents.flatMap(({ spec, status }) =>
            spec.driver === 'csi.berth.dev' && status?.snapshotHandle !== undefined ? status.snapshotHandle : [],
          ),
        )),
  ];
}

/** Pods of a node that have a network of their own; those in the node's have its addresses. */
function podsOn(node: string, pods: readonly Pod[]): readonly PodState[] {
  return pods
    .filter(({ spec }) => spec.nodeName === node && spec.hostNetwork !== true)
    .map(({ metadata, status }) => ({
      name: `${metadata.namespace}/${metadata.name}`,
      uid: metadata.uid,
      addresses: (status.podIPs ?? []).map(({ ip }) => ip),
    }));
}

function objectOf({ metadata, spec, status }: ApiNode): NodeObject {
  const addresses = (status.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
  return { name: metadata.name, podCIDRs: spec.podCIDRs ?? [], addresses };
}

async function list<T>(cluster: Cluster, kind: string): Promise<readonly T[]> {
  return (JSON.parse(await kubectl(cluster, ['get', kind, '-o', 'json'])) as { readonly items: readonly T[] }).items;
}
