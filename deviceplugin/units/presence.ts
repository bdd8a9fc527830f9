/**
 * From what was found now and what was there before to what is advertised: pure. What is gone stays for a while, unhealthy,
 * and for as long as a pod has it: taking the ID away from under a pod makes the kubelet count wrong.
 */
import type { ResourceRule } from '../config/resource.ts';
import { matchesText } from '../config/textpattern.ts';
import { lineage } from '../inventory/inventory.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { FoundUnit, Member, ResourceState, Unit } from './unit.ts';

export interface PresenceInput {
  readonly rule: ResourceRule;
  readonly inventory: Inventory;
  /** What was found, by ID. */
  readonly found: ReadonlyMap<string, FoundUnit>;
  readonly problems: readonly string[];
  readonly before: ResourceState | undefined;
  /** Since when units are away, by ID: milliseconds of the caller's clock. */
  readonly awaySince: ReadonlyMap<string, number>;
  /** IDs that pods have, also of units that this agent has never seen. */
  readonly held: readonly string[];
  /** Whether a pod has it. */
  readonly isHeld: (id: string) => boolean;
  /** Why a probe found it unhealthy. */
  readonly problemOf: (id: string) => string | undefined;
  readonly now: number;
}

export interface PresenceOutput {
  readonly state: ResourceState;
  readonly awaySince: ReadonlyMap<string, number>;
}

const away = 'is gone from the node';

/** The new state of one resource. Units that are there come first, in the order they were found in. */
export function present(input: PresenceInput): PresenceOutput {
  const { rule, found, before, now } = input;
  const units = new Map<string, Unit>();
  for (const [id, unit] of found) {
    const unhealthy = driverProblem(rule, unit, input.inventory) ?? input.problemOf(id);
    const old = before?.units.get(id);
    const next: Unit = { ...unit, id, present: true, unhealthy };
    // The same object for the same facts, so that whoever compares sees at once that nothing changed.
    units.set(id, old !== undefined && sameUnit(old, next) ? old : next);
  }
  const awaySince = new Map<string, number>();
  for (const [id, unit] of before?.units ?? []) {
    if (units.has(id)) continue;
    const since = input.awaySince.get(id) ?? now;
    if (now - since >= rule.health.removalGraceSeconds * 1_000 && !input.isHeld(id)) continue;
    awaySince.set(id, since);
    units.set(id, unit.present ? { ...unit, present: false, unhealthy: away } : unit);
  }
  for (const id of input.held) {
    if (units.has(id)) continue;
    awaySince.set(id, now);
    units.set(id, unseen(id));
  }
  const state = { rule, units, problems: input.problems };
  return { state: before !== undefined && sameState(before, state) ? before : state, awaySince };
}

/**
 * A unit that a pod has and that went away before this agent began: the kubelet calls the health of a device that it is not told
 * of unknown, and whoever looks for the pod's device should find it.
 */
function unseen(id: string): Unit {
  return {
    ...{ id, members: [], companions: [], identities: { path: id }, numaNode: undefined, lineage: [] },
    ...{ present: false, unhealthy: away },
  };
}

/** Same units in the same order: units of which nothing has changed are the same objects already. */
function sameState(a: ResourceState, b: ResourceState): boolean {
  if (a.rule !== b.rule || a.units.size !== b.units.size || a.problems.join('\n') !== b.problems.join('\n'))
    return false;
  const others = b.units.values();
  return a.units.values().every((unit) => unit === others.next().value);
}

function driverProblem({ health }: ResourceRule, { members }: FoundUnit, inventory: Inventory): string | undefined {
  const wanted = health.driver;
  if (wanted === undefined) return undefined;
  for (const { node } of members) {
    const drivers = lineage(inventory, node.device).flatMap(({ driver }) => driver ?? []);
    if (!drivers.some((driver) => matchesText(wanted, driver)))
      return `has no driver ${wanted} (${drivers.length === 0 ? 'none is bound' : drivers.join(', ')})`;
  }
  return undefined;
}

function sameUnit(a: Unit, b: Unit): boolean {
  return (
    a.present === b.present &&
    a.unhealthy === b.unhealthy &&
    a.numaNode === b.numaNode &&
    sameMembers(a.members, b.members) &&
    sameValue(a.lineage, b.lineage) &&
    sameValue(a.companions, b.companions) &&
    sameValue(a.identities, b.identities)
  );
}

function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const others = b.values();
  return a.every(({ role, node }) => {
    const other = others.next().value;
    return role === other?.role && sameValue(node, other.node);
  });
}

/** What has not changed is mostly the same object, and texts are made of the rest only. */
function sameValue(a: object, b: object): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
