/** What the removal of something deleted gives back to its pool: the bytes that nothing else of its family has. */
import type { Stored } from './engine.ts';
import { unionBytes } from './families.ts';
import type { PoolParts } from './poolparts.ts';

/** In bytes; undefined when the engine cannot tell. Only what lives counts as the others. */
export async function freedBy(
  object: Stored,
  { engine, volumes, snapshots }: Pick<PoolParts, 'engine' | 'volumes' | 'snapshots'>,
): Promise<bigint | undefined> {
  const others = [...volumes.all(), ...snapshots.all()].filter(
    ({ id, family, state }) => family === object.family && id !== object.id && state === 'ready',
  );
  const alone = others.length === 0 || engine.offers.copies === 'full';
  try {
    // A subvolume has only what was written, whatever it was promised.
    if (alone && !('sourceId' in object) && engine.usage !== undefined) return (await engine.usage(object)).bytes.used;
    if (alone && !('sourceId' in object) && object.provisioning === 'thick') return object.bytes;
    if (!engine.offers.extents) return undefined;
    const theirs = alone ? [] : await Promise.all(others.map((other) => engine.extents(other)));
    return unionBytes([...theirs, await engine.extents(object)]) - unionBytes(theirs);
  } catch {
    return undefined;
  }
}
