/**
 * Inline ephemeral volumes: a pod's own specification defines them, so the kubelet only publishes and unpublishes, with an ID it
 * made up. The volume is made, and mounted right at the pod's target, when it is published; it goes when it is unpublished.
 */
import { BerthError } from '../kit/errors.ts';
import { formatBytes } from './quantity.ts';
import { assertDirect, makeTarget, removeTarget } from './targets.ts';
import type { Pools } from './pools.ts';
import type { WantedUse } from './volume.ts';

export interface EphemeralPolicy {
  readonly enabled: boolean;
  readonly maxSize: bigint;
}

export interface EphemeralVolume {
  /** The kubelet's ID. */
  readonly handle: string;
  readonly target: string;
  /** The kubelet's folder, below which the target lies. */
  readonly kubeletRoot: string;
  readonly readonly: boolean;
  readonly use: WantedUse;
  /** Undefined: the largest allowed. */
  readonly size: bigint | undefined;
  readonly pool: string | undefined;
}

/** The name of its record; no CO calls a volume so, for a slash is not in the names Kubernetes makes. */
function nameOf(handle: string): string {
  return `inline/${handle}`;
}

/** Throws FAILED_PRECONDITION where the policy does not allow such volumes, OUT_OF_RANGE for one that is too large. */
export async function publishEphemeral(pools: Pools, policy: EphemeralPolicy, wanted: EphemeralVolume): Promise<void> {
  const { handle, target, kubeletRoot, use } = wanted;
  if (!policy.enabled)
    throw new BerthError(
      'FAILED_PRECONDITION',
      'inline ephemeral volumes are switched off on this node (storage.ephemeral.enabled); use a generic ephemeral volume (volumes[].ephemeral)',
    );
  const bytes = wanted.size ?? policy.maxSize;
  if (bytes > policy.maxSize)
    throw new BerthError(
      'OUT_OF_RANGE',
      `${formatBytes(bytes)} asked, inline ephemeral volumes have at most ${formatBytes(policy.maxSize)} on this node (storage.ephemeral.maxSize)`,
    );
  await assertDirect(kubeletRoot, target);
  const shown: WantedUse = wanted.readonly ? { ...use, mountFlags: [...use.mountFlags, 'ro'] } : use;
  const before = ephemeralId(pools, handle);
  const volume = await pools.create({
    name: nameOf(handle),
    range: { required: bytes, limit: 0n },
    uses: [use],
    provisioning: 'thick',
    parameters: wanted.pool === undefined ? {} : { pool: wanted.pool },
    mutable: {},
    ephemeral: target,
    pool: wanted.pool,
  });
  try {
    await makeTarget(target, 'folder');
    await pools.ofVolume(volume.id).nodeVolumes.stage(volume.id, target, shown);
  } catch (error) {
    // The kubelet forgets it after a final error: it must leave nothing behind. But what was there before may be in use.
    if (before === undefined) await unpublishEphemeral(pools, wanted).catch(() => undefined);
    throw error;
  }
}

/** Takes the volume off the target and deletes it. True when there was one. */
export async function unpublishEphemeral(
  pools: Pools,
  { handle, target, kubeletRoot }: Pick<EphemeralVolume, 'handle' | 'target' | 'kubeletRoot'>,
): Promise<boolean> {
  const open = pools.all().find(({ volumes }) => volumes.named(nameOf(handle)) !== undefined);
  const volume = open?.volumes.named(nameOf(handle));
  if (open === undefined || volume === undefined) return false;
  await open.nodeVolumes.unstage(volume.id, target);
  await removeTarget(kubeletRoot, target);
  await open.volumes.delete(volume.id);
  return true;
}

/** The ID of the volume with the kubelet's handle, or undefined. */
export function ephemeralId(pools: Pools, handle: string): string | undefined {
  return pools.named(nameOf(handle))?.id;
}
