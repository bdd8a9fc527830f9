/** How much of a pool's space a volume or snapshot is promised, and measuring what it has taken of it. */
import type { Stored } from './engine.ts';
import { measureFamily } from './families.ts';
import type { PoolParts } from './poolparts.ts';
import { sectorBytes } from './volume.ts';

/** Thick: all of it. Thin: its part where thin volumes may have more than there is. Snapshots: what their class says. */
export function promiseOf(object: Stored, overcommit: number): bigint {
  if ('sourceId' in object) return object.reserved ? object.bytes : 0n;
  if (object.provisioning === 'thick' || overcommit <= 1) return object.bytes;
  // In thousandths, for a ratio may be 1.5.
  const part = (object.bytes * 1000n) / BigInt(Math.round(overcommit * 1000));
  return ((part + sectorBytes - 1n) / sectorBytes) * sectorBytes;
}

/** Volumes and snapshots of a family that can be used. */
function membersOf(family: string, { volumes, snapshots }: PoolParts): readonly Stored[] {
  return [...volumes.all(), ...snapshots.all()].filter(
    (object) => object.family === family && object.state === 'ready',
  );
}

/** Measures a family that has changed. A failure costs exactness only: an old figure keeps too much free. */
export async function measure(family: string, parts: PoolParts): Promise<void> {
  const copied = parts.engine.offers.copies === 'full';
  const promised = membersOf(family, parts).filter(
    // A snapshot with bytes of its own never takes more than it has: nothing has to stay free for it.
    (member) => promiseOf(member, parts.overcommit) > 0n && !(copied && 'sourceId' in member),
  );
  // A thick volume alone has taken all it was promised.
  const [only] = promised;
  if (promised.length === 1 && only !== undefined && !('sourceId' in only) && only.provisioning === 'thick') {
    await parts.ledger.measured(only.id, only.bytes);
    return;
  }
  try {
    await measureFamily(promised, parts);
  } catch (error) {
    parts.log.warn({ event: 'pool.measure_failed', family, reason: String(error) }, 'shared space was not measured');
  }
}

/**
 * The same after the operation that changed the family has been answered: a file that is written to in places has thousands of
 * extents. Until then what was just made counts as having taken nothing, so that too much is kept free and never too little; whoever
 * asks what is free waits for this.
 */
export function measureLater(family: string, parts: PoolParts): void {
  parts.ledger.whileFreeing(parts.operations.later('family', family, () => measure(family, parts)));
}

/**
 * Gives back the space of what was deleted, after the deletion has been answered: unlinking takes milliseconds for a small file and
 * seconds for a huge one. Should it fail, the filesystem still counts the file as used and the next deletion or start removes it.
 */
export function freeSpaceOf({ id, family }: Stored, parts: PoolParts): void {
  const { trash, ledger, operations } = parts;
  const freeing = operations.named('space of', id, async () => {
    await trash.purgeExpired();
    await measure(family, parts);
  });
  ledger.whileFreeing(freeing);
}
