/**
 * What this node offers now: rules, inventory, identities, health and holders come in, the state of every resource comes out.
 * It keeps what must be remembered from one look to the next, and does nothing itself.
 */
import { lineage } from './inventory/inventory.ts';
import type { Inventory } from './inventory/inventory.ts';
import { isProbed } from './health/probe.ts';
import type { Subject } from './health/probe.ts';
import type { HealthRule } from './config/health.ts';
import type { ResourceRule } from './config/resource.ts';
import type { CompiledRules } from './units/compile.ts';
import type { HeldUnits } from './heldunits.ts';
import { identify } from './units/identify.ts';
import type { IdentityMemory } from './units/memory.ts';
import { matchUnits } from './units/match.ts';
import { present } from './units/presence.ts';
import type { FoundUnit, ResourceState, Snapshot } from './units/unit.ts';

export interface Surroundings {
  readonly rules: CompiledRules;
  readonly inventory: Inventory;
  readonly held: Pick<HeldUnits, 'isHeld' | 'idsOf'>;
  readonly problemOf: (rule: ResourceRule, id: string) => string | undefined;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: number;
}

/** What a rule finds, by ID. */
interface Identified {
  readonly found: ReadonlyMap<string, FoundUnit>;
  readonly problems: readonly string[];
}

export class Catalogue {
  #snapshot: Snapshot = new Map();
  #matched: { readonly rules: CompiledRules; readonly inventory: Inventory } | undefined;
  #identified: ReadonlyMap<string, Identified> = new Map();
  #awaySince: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map();
  #memory: IdentityMemory;

  constructor(memory: IdentityMemory) {
    this.#memory = memory;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** What must survive a restart: another object after it has changed. */
  get memory(): IdentityMemory {
    return this.#memory;
  }

  /**
   * Looks at everything anew; the same snapshot as before where nothing has changed. A resource that no rule names any more is
   * gone from it.
   */
  update({ rules, inventory, held, problemOf, now }: Surroundings): Snapshot {
    this.#match(rules, inventory);
    const snapshot = new Map<string, ResourceState>();
    const away = new Map<string, ReadonlyMap<string, number>>();
    for (const { rule } of rules.rules) {
      const { name } = rule;
      const { found, problems } = this.#identified.get(name) ?? { found: new Map<string, FoundUnit>(), problems: [] };
      const { state, awaySince } = present({
        rule,
        inventory,
        found,
        problems,
        before: this.#snapshot.get(name),
        awaySince: this.#awaySince.get(name) ?? new Map(),
        held: held.idsOf(name),
        isHeld: (id) => held.isHeld(name, id),
        problemOf: (id) => problemOf(rule, id),
        now,
      });
      snapshot.set(name, state);
      away.set(name, awaySince);
    }
    this.#awaySince = away;
    if (!sameSnapshot(this.#snapshot, snapshot)) this.#snapshot = snapshot;
    return this.#snapshot;
  }

  /** Rules and hardware change seldom; health, holders and time do often, and lead to the same units. */
  #match(rules: CompiledRules, inventory: Inventory): void {
    if (this.#matched?.rules === rules && this.#matched.inventory === inventory) return;
    const matched = matchUnits(rules, inventory);
    let memory = this.#memory;
    const identified = new Map<string, Identified>();
    for (const { rule } of rules.rules) {
      const { units, problems } = matched.get(rule.name) ?? { units: [], problems: [] };
      const { ids, memory: next } = identify(rule, units, memory);
      memory = next;
      const found = new Map(units.map((unit, index): [string, FoundUnit] => [ids[index] ?? '', unit]));
      identified.set(rule.name, { found, problems });
    }
    this.#memory = memory;
    this.#identified = identified;
    this.#matched = { rules, inventory };
  }

  /** When the first unit that is away has been so for long enough, in milliseconds from `now`; undefined when none is. */
  nextRemoval(now: number): number | undefined {
    let next: number | undefined;
    for (const [name, since] of this.#awaySince) {
      const grace = (this.#snapshot.get(name)?.rule.health.removalGraceSeconds ?? 0) * 1_000;
      // One that a pod still has is looked at when the pod lets go of it.
      for (const at of since.values()) if (at + grace > now) next = Math.min(next ?? Infinity, at + grace - now);
    }
    return next;
  }
}

/** Same states in the same order: those of which nothing has changed are the same objects already. */
function sameSnapshot(one: Snapshot, other: Snapshot): boolean {
  if (one.size !== other.size) return false;
  const others = other.entries();
  return one.entries().every(([name, state]) => {
    const [otherName, otherState] = others.next().value ?? [];
    return name === otherName && state === otherState;
  });
}

/** What is to be probed of a snapshot: units that are there, of rules that ask for it. */
export function subjectsOf(
  snapshot: Snapshot,
  inventory: Inventory,
): readonly { readonly subject: Subject; readonly rule: HealthRule }[] {
  return [...snapshot.values()].flatMap(({ rule, units }) =>
    isProbed(rule.health)
      ? [...units.values()]
          .filter(({ present: there }) => there)
          .map(({ id, members }) => ({
            rule: rule.health,
            subject: {
              resource: rule.name,
              id,
              paths: members.map(({ node }) => node.path),
              devpaths: [
                ...new Set(
                  members.flatMap(({ node }) => lineage(inventory, node.device).map(({ devpath }) => devpath)),
                ),
              ],
            },
          }))
      : [],
  );
}
