/** VolumeSnapshots: making them, and waiting until they can be used. */
import { kubectl } from '../../scripts/kubectl.ts';
import { eventually } from './scene.ts';
import type { Scene } from './scene.ts';

/** A snapshot of what a claim has at the moment. */
export function snapshotManifest(name: string, claim: string): object {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: { name },
    spec: { volumeSnapshotClassName: 'berth', source: { persistentVolumeClaimName: claim } },
  };
}

interface Snapshot {
  readonly status?: {
    readonly readyToUse?: boolean;
    readonly boundVolumeSnapshotContentName?: string;
    readonly error?: { readonly message?: string };
  };
}

async function statusOf(scene: Scene, name: string): Promise<Snapshot['status']> {
  const text = await kubectl(scene.cluster, ['get', 'volumesnapshot', name, '-n', scene.namespace, '-o', 'json']);
  return (JSON.parse(text) as Snapshot).status;
}

/** Waits until the snapshot can be used and returns the driver's ID of it. */
export async function snapshotReady(scene: Scene, name: string): Promise<string> {
  const content = await eventually(`snapshot ${name} to be ready`, 60, async () => {
    const status = await statusOf(scene, name);
    if (status?.error?.message !== undefined) throw new Error(status.error.message);
    return status?.readyToUse === true ? status.boundVolumeSnapshotContentName : undefined;
  });
  return kubectl(scene.cluster, ['get', 'volumesnapshotcontent', content, '-o', 'jsonpath={.status.snapshotHandle}']);
}

/** Waits until the snapshot says why there is none, and returns that. */
export function snapshotRefused(scene: Scene, name: string): Promise<string> {
  return eventually(`snapshot ${name} to say why`, 60, async () => (await statusOf(scene, name))?.error?.message);
}
