/** Pods with volumes of every kind, classes of a test's own, and what a node has of a volume. */
import { afterAll, beforeAll } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { eventually, podManifest } from './scene.ts';
import type { PodManifest, Scene } from './scene.ts';

/** A volume in a pod: `source` as in a Pod's spec; shown as a folder, or with `device` as a device node. */
export interface PodVolume {
  readonly name: string;
  readonly source: object;
  readonly path: string;
  readonly device?: boolean;
}

export const fromClaim = (claimName: string, readOnly = false): object => ({
  persistentVolumeClaim: { claimName, readOnly },
});

/** A pod that stays, on a node or anywhere. */
export function volumePod(
  name: string,
  volumes: readonly PodVolume[],
  options: { readonly node?: string; readonly command?: readonly string[]; readonly securityContext?: object } = {},
): PodManifest {
  const { securityContext = {}, ...rest } = options;
  const manifest = podManifest(name, rest);
  const { containers: [main] = [] } = manifest.spec as { containers?: readonly object[] };
  const shown = (device: boolean): readonly PodVolume[] =>
    volumes.filter((volume) => (volume.device ?? false) === device);
  const container = {
    ...main,
    volumeMounts: shown(false).map((volume) => ({ name: volume.name, mountPath: volume.path })),
    volumeDevices: shown(true).map((volume) => ({ name: volume.name, devicePath: volume.path })),
  };
  const sources = volumes.map((volume) => ({ name: volume.name, ...volume.source }));
  return { ...manifest, spec: { ...manifest.spec, securityContext, containers: [container], volumes: sources } };
}

/** A StorageClass of this driver for one test file, made before its tests and removed after them. */
export function useClass(scene: Scene, name: string, more: object = {}): string {
  const manifest = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner: 'csi.berth.dev',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowVolumeExpansion: true,
    ...more,
  };
  beforeAll(() => scene.apply(manifest));
  afterAll(() => kubectl(scene.cluster, ['delete', 'storageclass', name]));
  return name;
}

/** The PersistentVolume of a bound claim. */
export async function volumeOf(
  scene: Scene,
  claim: string,
): Promise<{ readonly name: string; readonly handle: string }> {
  const name = await kubectl(scene.cluster, [
    'get',
    'pvc',
    claim,
    '-n',
    scene.namespace,
    '-o',
    'jsonpath={.spec.volumeName}',
  ]);
  if (name === '') throw new Error(`claim ${claim} is not bound`);
  const handle = await kubectl(scene.cluster, ['get', 'pv', name, '-o', 'jsonpath={.spec.csi.volumeHandle}']);
  return { name, handle };
}

/** Names of what the pools of a node hold of a volume: its record and its bytes, also in the trash. */
export async function tracesOf(node: ClusterNode, handle: string): Promise<readonly string[]> {
  const { stdout } = await node.exec(['find', '/var/lib/berth/pools', '-name', `${handle}*`]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Waits until neither the API nor a node knows the volume. */
export async function volumeGone(
  scene: Scene,
  volume: { readonly name: string; readonly handle: string },
): Promise<void> {
  await eventually(`volume ${volume.name} to be gone`, 60, async () => {
    const { stdout } = await scene.cluster.kubectl(['get', 'pv', volume.name, '--ignore-not-found', '-o', 'name']);
    const traces = await Promise.all(scene.cluster.nodes.map((node) => tracesOf(node, volume.handle)));
    return stdout === '' && traces.flat().length === 0 ? true : undefined;
  });
}
