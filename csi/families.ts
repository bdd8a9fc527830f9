/**
 * Stored things that share bytes: a volume, its snapshots, their clones. The pool's filesystem counts shared bytes once, the
 * ledger promises them to each, so what a family has really taken is the union of its extents.
 */
import type { Engine, Extent, Stored } from './engine.ts';
import type { Ledger } from './ledger.ts';

/** Bytes on disk that at least one of the lists has. */
export function unionBytes(lists: readonly (readonly Extent[])[]): bigint {
  const runs = lists.flat().map(({ physical, length }) => ({ start: physical, end: physical + length }));
  runs.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let [sum, reached] = [0n, -1n];
  for (const { start, end } of runs) {
    const from = start > reached ? start : reached;
    if (end <= from) continue;
    sum += end - from;
    reached = end;
  }
  return sum;
}

/**
 * Tells the ledger what the members of a family with a promise have taken. Snapshots without one do not count: whoever takes
 * them has chosen that their source may run out of space. Between two measurements writes only make more of it taken, so an old figure
 * promises too little to others, never too much: it is enough to measure when the family changes and now and then.
 */
export async function measureFamily(
  members: readonly Stored[],
  { engine, ledger }: { readonly engine: Engine; readonly ledger: Ledger },
): Promise<void> {
  if (!engine.offers.extents || members.length === 0) return;
  const lists = await Promise.all(members.map((member) => engine.extents(member)));
  let left = unionBytes(lists);
  for (const { id, bytes } of members) {
    const taken = left < bytes ? left : bytes;
    left -= taken;
    await ledger.measured(id, taken);
  }
}
