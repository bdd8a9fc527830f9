/** The calls in which a volume is made, shown to a pod and taken back, each of them repeatable, on a node of a test. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TestNode } from '../../csi/fake/testnode.ts';
import { BerthError } from '../../kit/errors.ts';
import { kernelMounts } from '../../linux/mount.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import type { VolumeContentSource } from '../../protos/types/csi/v1/VolumeContentSource.ts';

export interface Served {
  readonly id: string;
  readonly staging: string;
  readonly target: string;
}

/** What is asked for; the same name is the same volume. */
export interface WantedVolume {
  readonly name: string;
  readonly capability: VolumeCapability;
  /** 0: whatever it has, or the default. */
  readonly bytes: number;
  readonly source?: VolumeContentSource;
}

export async function createVolume(host: TestNode, { name, capability, bytes, source }: WantedVolume): Promise<string> {
  const { volume } = await host.controller.CreateVolume({
    name,
    ...(bytes === 0 ? {} : { capacity_range: { required_bytes: String(bytes) } }),
    volume_capabilities: [capability],
    // A pool that a reboot empties is used only by those who name it.
    parameters: { pool: 'default' },
    ...(source === undefined ? {} : { volume_content_source: source }),
  });
  return volume?.volume_id ?? '';
}

/** Creates, stages and publishes the volume; every step may have been done before. */
export async function serveVolume(host: TestNode, wanted: WantedVolume): Promise<Served> {
  const { name, capability } = wanted;
  const id = await createVolume(host, wanted);
  const [staging, target] = [await host.stagingPath(name), await host.targetPath(`pod-${name}`)];
  const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
  await host.node.NodeStageVolume(common);
  await host.node.NodePublishVolume({ ...common, target_path: target });
  return { id, staging, target };
}

/**
 * Repeats a call while the volume is busy, as the kubelet does: a mount namespace that another test makes at that moment
 * holds a copy of our mounts until it has its own root.
 */
async function untilFree(call: () => Promise<unknown>): Promise<void> {
  let failure: Error | undefined;
  const busy = async (): Promise<boolean> => {
    try {
      await call();
    } catch (error) {
      if (error instanceof BerthError && error.code === 'BUSY') return true;
      // Thrown here it would only make `poll` call again until its time is over.
      failure = error instanceof Error ? error : new Error(String(error));
    }
    return false;
  };
  await expect.poll(busy, { timeout: 20_000, interval: 200 }).toBe(false);
  if (failure !== undefined) throw failure;
}

/** Unpublishes and unstages; every step may have been done before. */
export async function takeFromPod(host: TestNode, { id, staging, target }: Served): Promise<void> {
  await untilFree(() => host.node.NodeUnpublishVolume({ volume_id: id, target_path: target }));
  await untilFree(() => host.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging }));
}

/** Unpublishes, unstages and deletes; every step may have been done before. */
export async function takeBack(host: TestNode, served: Served): Promise<void> {
  await takeFromPod(host, served);
  await untilFree(() => host.controller.DeleteVolume({ volume_id: served.id }));
}

/** What a reboot does to mounts, and the end of a test that failed. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = kernelMounts();
  const below = (await mounts.list()).filter(({ mountPoint }) => mountPoint.startsWith(`${folder}/`));
  for (const { mountPoint } of below.reverse()) await mounts.unmount(mountPoint);
}

/** Ends a node of which a failed test may have left anything mounted or attached: a start detaches it, as after a reboot. */
export async function retire(host: TestNode): Promise<void> {
  await unmountBelow(host.folder);
  await host.stop();
  await rm(join(host.folder, 'run'), { recursive: true, force: true });
  await host.start();
  await host.close();
}
