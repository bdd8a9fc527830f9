/** Keeps the nft table as the agent made it: notices what others took from it, and has it made again. */
import type { NftTableState, Nftables } from '../linux/nftables/nftables.ts';
import { tableName } from './datapath.ts';

/** Sets whose elements come from the configuration; those of other sets and maps change with the pods. */
const lasting = /^(pods|direct)/;

/** Whether `now` has all that `made` had: chains with their rules, sets, and elements where they last. Pure. */
export function isIntact(made: NftTableState, now: NftTableState | undefined): boolean {
  if (now === undefined) return false;
  for (const [chain, rules] of made.chains) if (now.chains.get(chain) !== rules) return false;
  for (const [set, elements] of made.sets) {
    const found = now.sets.get(set);
    if (found === undefined) return false;
    if (lasting.test(set) && !elements.every((element) => found.includes(element))) return false;
  }
  return true;
}

export class TableCare {
  readonly #nftables: Nftables;
  readonly #restore: () => Promise<void>;
  #made: NftTableState | undefined;
  #generation: number | undefined;

  /** `restore` makes the table as the start does, from the records. */
  constructor(nftables: Nftables, restore: () => Promise<void>) {
    this.#nftables = nftables;
    this.#restore = restore;
  }

  /**
   * Looks whether the table is intact, and restores it. Returns whether it had to. The first look remembers what the start
   * made. Lists the table only when somebody has changed something in nftables.
   */
  async mend(): Promise<boolean> {
    // Asked before the table is listed: what happens in between is seen by the next look.
    let generation = await this.#nftables.generation();
    if (generation === this.#generation) return false;
    let state = await this.#nftables.list(tableName);
    const broken = this.#made === undefined ? state === undefined : !isIntact(this.#made, state);
    if (broken) {
      await this.#restore();
      generation = await this.#nftables.generation();
      state = await this.#nftables.list(tableName);
    }
    if (broken || this.#made === undefined) this.#made = state;
    this.#generation = generation;
    return broken;
  }
}
