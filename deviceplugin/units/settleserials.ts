/** Which of the units with one serial number has its ID: pure, from those that are there and what is remembered. */
import { mostAway } from './memory.ts';
import type { MemoryRecord } from './memory.ts';
import { comparePaths } from './naturalorder.ts';

/** A unit that could have the ID of its serial number. */
export interface SerialClaim {
  readonly serial: string;
  readonly place: string;
  /** Decides between units that are new at the same time. */
  readonly order: string;
}

interface Settled {
  /** Indexes of the claims that are granted. */
  readonly holders: ReadonlySet<number>;
  /** What is remembered now; the same array where nothing is new. */
  readonly records: readonly MemoryRecord[];
}

/**
 * The unit at the place where the ID was last has it. Without one there, a unit at a new place gets it: the device was
 * plugged in elsewhere. Who was at its place with another ID, because a twin had this one, keeps that other.
 */
export function settleSerials(claims: readonly (SerialClaim | undefined)[], before: readonly MemoryRecord[]): Settled {
  const known = new Map(before.map((record) => [keyOf(record), record]));
  const holders = new Set<number>();
  const now = new Map<string, MemoryRecord>();
  const moved = new Set<string>();
  for (const [serial, places] of claimsBySerial(claims)) {
    const holds = ({ place }: Place): boolean | undefined => known.get(keyOf({ serial, place }))?.holds;
    const holder = places.find((place) => holds(place) === true) ?? places.find((place) => holds(place) === undefined);
    for (const each of places)
      now.set(keyOf({ serial, place: each.place }), { serial, place: each.place, holds: each === holder });
    if (holder === undefined) continue;
    holders.add(holder.index);
    moved.add(serial);
  }
  // Where the ID was before it moved, whoever comes is as good as new.
  const away = before.filter((record) => !now.has(keyOf(record)) && !(record.holds && moved.has(record.serial)));
  const kept = away.slice(Math.max(0, away.length - mostAway));
  const same =
    kept.length + now.size === before.length && [...now].every(([key, { holds }]) => known.get(key)?.holds === holds);
  return { holders, records: same ? before : [...kept, ...now.values()] };
}

interface Place {
  readonly index: number;
  readonly place: string;
}

/** Places of each serial number, in their order. Of units at one place, which nothing tells apart, only the first counts. */
function claimsBySerial(claims: readonly (SerialClaim | undefined)[]): ReadonlyMap<string, readonly Place[]> {
  const bySerial = new Map<string, (Place & { readonly order: string })[]>();
  for (const [index, claim] of claims.entries()) {
    if (claim === undefined) continue;
    const places = bySerial.get(claim.serial) ?? [];
    bySerial.set(claim.serial, places);
    if (!places.some(({ place }) => place === claim.place))
      places.push({ index, place: claim.place, order: claim.order });
  }
  for (const places of bySerial.values()) places.sort((a, b) => comparePaths(a.order, b.order));
  return bySerial;
}

function keyOf({ serial, place }: Pick<MemoryRecord, 'serial' | 'place'>): string {
  return `${serial} ${place}`;
}
