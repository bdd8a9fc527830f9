/** Keeps the nft table as the agent made it: notices what others took from it, and has it made again. */
import type { NftSet, NftTableState, Nftables } from '../linux/nftables/nftables.ts';
import { tableName } from './datapath.ts';
import type { TableTurns } from './tableturns.ts';

/** Sets whose elements come from the configuration; those of other sets and maps come and go. */
const lasting = /^(pods|direct)/;

/**
 * Milliseconds. As long as the ruleset has changed as often as we have changed it, the changes are taken for ours. That is
 * wrong when somebody's falls together with one of ours that changed nothing, so the table is listed once in a while all the same.
 */
const listAtLeastEvery = 10_000;

/** Whether `now` has all that `made` had, chains with their rules, sets, and elements where they last, and all of `owned`. Pure. */
export function isIntact(
  made: NftTableState,
  now: NftTableState | undefined,
  owned: readonly Pick<NftSet, 'name' | 'elements'>[],
): boolean {
  if (now === undefined) return false;
  for (const [chain, rules] of made.chains) if (now.chains.get(chain) !== rules) return false;
  for (const set of made.sets.keys()) if (!now.sets.has(set)) return false;
  const kept = [...made.sets].filter(([name]) => lasting.test(name)).map(([name, elements]) => ({ name, elements }));
  return [...kept, ...owned].every(({ name, elements }) => {
    const found = new Set(now.sets.get(name));
    return elements.every((element) => found.has(element));
  });
}

export interface TableCareParts {
  readonly nftables: Nftables;
  readonly turns: TableTurns;
  /** What the table has of living pods and of other nodes, at least. Asked within a turn. */
  readonly owned: () => readonly Pick<NftSet, 'name' | 'elements'>[];
  /** Makes the table as the start does, from the records, in a turn of its own. */
  readonly restore: () => Promise<void>;
  /** Milliseconds; tests give another. */
  readonly now?: () => number;
}

interface Sighting {
  readonly generation: number;
  /** Our own changes until then. */
  readonly own: number;
}

export class TableCare {
  readonly #parts: TableCareParts;
  readonly #now: () => number;
  #made: NftTableState | undefined;
  #seen: Sighting | undefined;
  #listed: { readonly generation: number; readonly at: number } | undefined;

  constructor(parts: TableCareParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  /**
   * Looks whether the table is intact, and restores it. Returns whether it had to. The first look remembers what the start
   * made. Lists the table only when somebody else has changed something in nftables: pods that come and go cost nothing here.
   */
  async mend(): Promise<boolean> {
    if (await this.#parts.turns.take(() => this.#look())) return false;
    await this.#parts.restore();
    await this.#parts.turns.take(async () => {
      // Read before the table is listed: what happens in between is seen by the next look.
      const sighting = await this.#sighting();
      this.#made = await this.#parts.nftables.list(tableName);
      this.#remember(sighting);
    });
    return true;
  }

  async #look(): Promise<boolean> {
    const sighting = await this.#sighting();
    if (this.#isOwnDoing(sighting)) {
      this.#seen = sighting;
      return true;
    }
    const state = await this.#parts.nftables.list(tableName);
    this.#made ??= state;
    if (this.#made === undefined || !isIntact(this.#made, state, this.#parts.owned())) return false;
    this.#remember(sighting);
    return true;
  }

  #isOwnDoing({ generation, own }: Sighting): boolean {
    if (this.#seen === undefined || this.#listed === undefined) return false;
    // A change of ours that changes nothing, such as adding what is there, is no new generation.
    const strangers =
      generation !== this.#seen.generation && generation - this.#seen.generation !== own - this.#seen.own;
    if (strangers) return false;
    return this.#listed.generation === generation || this.#now() - this.#listed.at < listAtLeastEvery;
  }

  async #sighting(): Promise<Sighting> {
    return { generation: await this.#parts.nftables.generation(), own: this.#parts.turns.changes };
  }

  #remember(sighting: Sighting): void {
    this.#seen = sighting;
    this.#listed = { generation: sighting.generation, at: this.#now() };
  }
}
