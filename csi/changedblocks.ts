/**
 * Which bytes a snapshot has, and which differ between two snapshots of one volume, from their extents: equal places on disk
 * are the same bytes, for both snapshots keep their blocks as long as they exist. Pure.
 */
import type { Extent } from './engine.ts';

/** A run of bytes in the volume. */
export interface Run {
  readonly offset: bigint;
  readonly length: bigint;
}

/** Runs that were written, from an offset on. */
export function allocatedRuns(extents: readonly Extent[], from: bigint): readonly Run[] {
  return cutBefore(joined(written(extents).map(({ logical, length }) => ({ offset: logical, length }))), from);
}

/**
 * Runs that are not known to be equal, from an offset on. What neither has written is equal; what only one has written differs,
 * also where it wrote zeroes.
 */
export function changedRuns(before: readonly Extent[], after: readonly Extent[], from: bigint): readonly Run[] {
  const [old, now] = [written(before), written(after)];
  const edges = new Set([...old, ...now].flatMap(({ logical, length }) => [logical, logical + length]));
  const sorted = [...edges].sort((a, b) => (a < b ? -1 : 1));
  const [inOld, inNow] = [cursor(old), cursor(now)];
  const runs: Run[] = [];
  for (const [i, start] of sorted.entries()) {
    const end = sorted[i + 1];
    if (end === undefined) break;
    if (inOld(start) !== inNow(start)) runs.push({ offset: start, length: end - start });
  }
  return cutBefore(joined(runs), from);
}

function written(extents: readonly Extent[]): readonly Extent[] {
  return extents.filter(({ unwritten }) => !unwritten);
}

/** For offsets that ascend: the place on disk, or undefined in a hole. */
function cursor(extents: readonly Extent[]): (offset: bigint) => bigint | undefined {
  let i = 0;
  return (offset) => {
    for (let extent = extents[i]; extent !== undefined; extent = extents[++i]) {
      if (offset < extent.logical) return undefined;
      if (offset < extent.logical + extent.length) return extent.physical + (offset - extent.logical);
    }
    return undefined;
  };
}

/** Neighbours as one run. */
function joined(runs: readonly Run[]): readonly Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.offset + last.length === run.offset)
      result[result.length - 1] = { offset: last.offset, length: last.length + run.length };
    else result.push(run);
  }
  return result;
}

function cutBefore(runs: readonly Run[], from: bigint): readonly Run[] {
  return runs.flatMap(({ offset, length }) => {
    const end = offset + length;
    if (end <= from) return [];
    return offset >= from ? { offset, length } : { offset: from, length: end - from };
  });
}
