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
import { identify } from './units/identify.ts';
import type { IdentityMemory } from './units/memory.ts';
import { matchUnits } from './units/match.ts';
import { present } from './units/presence.ts';
import type { FoundUnit, ResourceState, Snapshot } from './units/unit.ts';

export interface Surroundings {
  readonly rules: CompiledRules;
  readonly inventory: Inventory;
  readonly isHeld: (resource: string, id: string) => boolean;
  readonly problemOf: (rule: ResourceRule, id: string) => string | undefined;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: number;
}

export class Catalogue {
  #snapshot: Snapshot = new Map();
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

  /** Looks at everything anew. A resource that no rule names any more is gone from the snapshot. */
  update({ rules, inventory, isHeld, problemOf, now }: Surroundings): Snapshot {
    const matched = matchUnits(rules, inventory);
    const snapshot = new Map<string, ResourceState>();
    const away = new Map<string, ReadonlyMap<string, number>>();
    for (const { rule } of rules.rules) {
      const { name } = rule;
      const { units, problems } = matched.get(name) ?? { units: [], problems: [] };
      const { ids, memory } = identify(rule, units, this.#memory);
      this.#memory = memory;
      const { state, awaySince } = present({
        rule,
        inventory,
        found: new Map(units.map((unit, index): [string, FoundUnit] => [ids[index] ?? '', unit])),
        problems,
        before: this.#snapshot.get(name),
        awaySince: this.#awaySince.get(name) ?? new Map(),
        isHeld: (id) => isHeld(name, id),
        problemOf: (id) => problemOf(rule, id),
        now,
      });
      snapshot.set(name, state);
      away.set(name, awaySince);
    }
    this.#snapshot = snapshot;
    this.#awaySince = away;
    return snapshot;
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
