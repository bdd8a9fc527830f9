/** I/O limits of the volumes of a pool: set again at the start, and off while volumes are held still. */
import { messageOf } from '../kit/errors.ts';
import { hasLimits, parseIoLimits } from './iolimits.ts';
import type { PoolParts } from './poolparts.ts';
import type { VolumeRecord } from './volume.ts';

/** Whether volumes of the pool can have limits: only an engine that gives each a block device of its own. */
export function canLimit({ engine }: Pick<PoolParts, 'engine'>): boolean {
  return engine.kind === 'image';
}

/** The limits of a volume hold for every pod that has it now. Throws as `VolumeLimits.change` does. */
export async function limitPublished(volume: VolumeRecord, parts: PoolParts): Promise<void> {
  const { published } = parts.nodeState.of(volume.id);
  if (published.length === 0) return;
  const { device } = await parts.engine.look(volume);
  if (device !== undefined) await parts.limits.change(volume, device.number, published);
}

/** The same without complaint: who asked is not kept from his work by it. */
async function limitAgain(volume: VolumeRecord, parts: PoolParts): Promise<void> {
  await limitPublished(volume, parts).catch((error: unknown) => {
    const reason = messageOf(error);
    parts.log.error({ event: 'limits.lost', volume: volume.id, reason }, 'I/O limits of a volume could not be set');
  });
}

function limitedOf(volumes: readonly VolumeRecord[]): readonly VolumeRecord[] {
  return volumes.filter((volume) => volume.state === 'ready' && Object.keys(volume.mutable).length > 0);
}

/** After the start: whoever stopped may have done so in between, and containers have started meanwhile. */
export async function resumeLimits(parts: PoolParts): Promise<void> {
  for (const volume of limitedOf(parts.volumes.all())) await limitAgain(volume, parts);
}

/** Runs `work` with no limits on the volumes: a freeze waits for all that pods have written, and pods wait for its end. */
export async function withoutLimits<T>(
  volumes: readonly VolumeRecord[],
  parts: PoolParts,
  work: () => Promise<T>,
): Promise<T> {
  const limited = limitedOf(volumes).filter(({ mutable }) => hasLimits(parseIoLimits(mutable)));
  try {
    for (const volume of limited) await limitAgain({ ...volume, mutable: {} }, parts);
    return await work();
  } finally {
    for (const volume of limited) await limitAgain(volume, parts);
  }
}
