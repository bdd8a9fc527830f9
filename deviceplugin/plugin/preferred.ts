/** Which of the free devices a container should get: spread or packed, close together, and the same at every call. */
import type { ResourceState, Unit } from '../units/unit.ts';
import { replicaOf, unitIdOf } from './deviceid.ts';

export interface PreferredRequest {
  /** IDs of the free devices, those that must be included too. */
  readonly available: readonly string[];
  readonly mustInclude: readonly string[];
  readonly size: number;
}

/** A unit that has free replicas. */
interface Candidate {
  readonly id: string;
  readonly unit: Unit | undefined;
  /** Free replicas. */
  readonly free: string[];
  /** Whether they are in the order in which they are taken from the end. */
  sorted: boolean;
  /** Replicas that other containers have. */
  readonly used: number;
  /** Replicas that this container has by now. */
  taken: number;
  /** How much it has in common with what was chosen. */
  near: number;
}

/** Picks that are made one by one, each near to those before; who asks for more gets most of the node anyhow. */
const nearPicks = 32;

/**
 * Exactly `size` IDs where there are as many. A second replica of a unit comes last: it gives no more of the device. Who
 * holds what is read from the kubelet's own list of free devices, which is exact at this moment; PodResources lags.
 */
export function preferredDevices(state: ResourceState, request: PreferredRequest): string[] {
  const { sharing } = state.rule;
  const chosen = request.mustInclude.slice(0, request.size);
  const all = candidatesOf(state, request);
  const numa = new Set<number>();
  for (const id of chosen) {
    const candidate = all.get(unitIdOf(id));
    if (candidate !== undefined) take(candidate, numa);
  }
  let open = [...all.values()].filter(({ free }) => free.length > 0);
  const fit = numaFit(open, request.size - chosen.length);
  if (chosen.length === 0) addCrowds(open, request.size);
  else for (const { unit, taken } of all.values()) if (taken > 0) addNearness(open, unit);

  const tier = ({ taken }: Candidate): number => (taken === 0 ? 0 : taken < sharing.maxPerContainer ? 1 : 2);
  const load = ({ used, taken }: Candidate): number => (sharing.policy === 'packed' ? -(used + taken) : used + taken);
  const distance = ({ unit }: Candidate): number => {
    const node = unit?.numaNode;
    if (numa.size === 0) return request.size > 1 ? (fit.get(node) ?? 0) : 0;
    return node !== undefined && numa.has(node) ? 0 : 1;
  };
  const compare = (one: Candidate, other: Candidate): number =>
    tier(one) - tier(other) ||
    load(one) - load(other) ||
    distance(one) - distance(other) ||
    other.near - one.near ||
    (one.id < other.id ? -1 : 1);

  while (chosen.length < request.size && open.length > 0) {
    const best = open.reduce((least, candidate) => (compare(candidate, least) < 0 ? candidate : least));
    const alike = chosen.length < nearPicks ? [best] : open.filter((one) => tier(one) === tier(best)).sort(compare);
    for (const candidate of alike.slice(0, request.size - chosen.length)) {
      if (chosen.length === 0) for (const each of open) each.near = 0;
      chosen.push(takeLowest(candidate));
      take(candidate, numa);
    }
    open = open.filter(({ free }) => free.length > 0);
    if (chosen.length < Math.min(request.size, nearPicks)) addNearness(open, best.unit);
  }
  return chosen;
}

/** Takes the free replica with the lowest number out. They are sorted once: a pod may ask for thousands of one unit. */
function takeLowest(candidate: Candidate): string {
  const { free } = candidate;
  if (!candidate.sorted) {
    const numbers = new Map(free.map((id) => [id, replicaOf(id)]));
    free.sort((one, other) => (numbers.get(other) ?? 0) - (numbers.get(one) ?? 0) || (one < other ? 1 : -1));
    candidate.sorted = true;
  }
  return free.pop() ?? '';
}

function take(candidate: Candidate, numa: Set<number>): void {
  candidate.taken++;
  if (candidate.unit?.numaNode !== undefined) numa.add(candidate.unit.numaNode);
}

function candidatesOf({ rule, units }: ResourceState, { available, mustInclude }: PreferredRequest) {
  const given = new Set(mustInclude);
  const byUnit = new Map<string, { free: string[]; all: number }>();
  const entryOf = (id: string): { free: string[]; all: number } => {
    const unit = unitIdOf(id);
    let entry = byUnit.get(unit);
    if (entry === undefined) byUnit.set(unit, (entry = { free: [], all: 0 }));
    entry.all++;
    return entry;
  };
  for (const id of given) entryOf(id);
  for (const id of available) if (!given.has(id)) entryOf(id).free.push(id);
  return new Map(
    [...byUnit].map(([id, { free, all }]): [string, Candidate] => {
      const used = Math.max(0, rule.sharing.replicas - all);
      return [id, { id, unit: units.get(id), free, sorted: false, used, taken: 0, near: 0 }];
    }),
  );
}

/** Order of NUMA nodes to begin with: the smallest that has enough units, then the larger ones of those that have not. */
function numaFit(open: readonly Candidate[], size: number): ReadonlyMap<number | undefined, number> {
  const counts = new Map<number | undefined, number>();
  for (const { unit } of open) counts.set(unit?.numaNode, (counts.get(unit?.numaNode) ?? 0) + 1);
  return new Map([...counts].map(([node, count]) => [node, count >= size ? count : 2 * open.length - count]));
}

/** Adds to each candidate how many ancestors it shares with a unit. */
function addNearness(open: readonly Candidate[], chosen: Unit | undefined): void {
  if (chosen === undefined || chosen.lineage.length === 0) return;
  const ancestors = new Set(chosen.lineage);
  for (const candidate of open)
    for (const devpath of candidate.unit?.lineage ?? []) if (ancestors.has(devpath)) candidate.near++;
}

/** Before anything is chosen, near is who has the neighbours that the rest of the request could be. */
function addCrowds(open: readonly Candidate[], size: number): void {
  if (size < 2) return;
  const below = new Map<string, number>();
  for (const { unit } of open)
    for (const devpath of unit?.lineage ?? []) below.set(devpath, (below.get(devpath) ?? 0) + 1);
  for (const candidate of open)
    for (const devpath of candidate.unit?.lineage ?? [])
      candidate.near += Math.min(size - 1, (below.get(devpath) ?? 1) - 1);
}
