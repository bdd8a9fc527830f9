/** How large or small a volume can be in a pool. */
import { asBerthError, BerthError } from '../../kit/errors.ts';
import type { OpenPool } from '../openpool.ts';
import { commonType, typeIn } from '../sizing.ts';
import { sectorBytes } from '../volume.ts';
import type { WantedUse } from '../volume.ts';
import type { VolumeParameters } from './parameters.ts';

/** The largest volume a pool can take, in bytes: thin ones are kept a part of. One whose disk is gone has no room, and takes none from the others. */
export async function largestIn(open: OpenPool, parameters: VolumeParameters): Promise<bigint> {
  try {
    return await largestNow(open, parameters);
  } catch (error) {
    if (asBerthError(error).code === 'UNAVAILABLE') return 0n;
    throw error;
  }
}

async function largestNow({ parts }: OpenPool, { provisioning }: VolumeParameters): Promise<bigint> {
  if (provisioning === 'thin' && parts.overcommit > 1) {
    const below = await parts.ledger.assertUsedAtMost(parts.thinWatermark).then(
      () => true,
      () => false,
    );
    if (!below) return 0n;
  }
  const available = await parts.ledger.available();
  const factor = provisioning === 'thin' ? BigInt(Math.floor(parts.overcommit * 1000)) : 1000n;
  return ((available * factor) / 1000n / sectorBytes) * sectorBytes;
}

/** Undefined where the pool makes no such volume. */
export function minimumIn({ pool, parts }: OpenPool, wanted: readonly WantedUse[]): bigint | undefined {
  try {
    return parts.engine.offers.minimumOf(typeIn(parts.engine.offers, commonType(wanted), pool.name));
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw error;
  }
}
