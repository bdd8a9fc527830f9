/** Changing the mutable parameters of a volume, which are its I/O limits, also while pods use it. */
import { parseIoLimits } from './iolimits.ts';
import { canLimit, limitPublished } from './poollimits.ts';
import type { PoolParts } from './poolparts.ts';
import type { VolumeRecord } from './volume.ts';

/**
 * The volume with these mutable parameters besides those it has. Repeatable: what is the same already is applied again. Throws
 * INVALID_ARGUMENT for parameters there are not, FAILED_PRECONDITION where there can be no limits, and then nothing has changed.
 * The caller holds the volume.
 */
export async function modifyVolume(
  volume: VolumeRecord,
  mutable: Readonly<Record<string, string>>,
  parts: PoolParts,
): Promise<VolumeRecord> {
  const changed: VolumeRecord = { ...volume, mutable: { ...volume.mutable, ...mutable } };
  await parts.limits.assertPossible(parseIoLimits(changed.mutable), canLimit(parts));
  await parts.store.write({ kind: 'volume', record: changed });
  parts.volumes.enter(changed);
  await limitPublished(changed, parts);
  return changed;
}
