/** The pod ranges of other nodes in our nft table: what pods reach with their own address. The kernel keeps them while no agent runs. */
import { BerthError } from '../../kit/errors.ts';
import { familyOf } from '../../linux/ipaddress.ts';
import type { NftCommand, Nftables } from '../../linux/nftables/nftables.ts';
import { nodeSets, tableName } from '../datapath.ts';
import type { TableTurns } from '../tableturns.ts';

export class NodeRanges {
  readonly #nftables: Nftables;
  readonly #turns: TableTurns;
  readonly #restore: () => Promise<void>;
  #current: readonly string[] = [];

  /** `restore` makes the whole table anew, with what `current` says. */
  constructor(nftables: Nftables, turns: TableTurns, restore: () => Promise<void>) {
    this.#nftables = nftables;
    this.#turns = turns;
    this.#restore = restore;
  }

  /** What the table has, or is to have. */
  get current(): readonly string[] {
    return this.#current;
  }

  /** Takes over what an earlier agent left in the kernel. To be called before the table is made anew. */
  async load(): Promise<void> {
    const state = await this.#nftables.list(tableName);
    this.#current = Object.values(nodeSets).flatMap((set) => state?.sets.get(set) ?? []);
  }

  /** Makes these the ranges, which must not overlap, in one transaction. */
  async set(ranges: readonly string[]): Promise<void> {
    const [before, now] = [new Set(this.#current), new Set(ranges)];
    const commands: NftCommand[] = [];
    for (const op of ['delete-elements', 'add-elements'] as const) {
      const changed = op === 'add-elements' ? [...now.difference(before)] : [...before.difference(now)];
      for (const family of [4, 6] as const) {
        const elements = changed.filter((range) => familyOf(range) === family);
        if (elements.length > 0) commands.push({ op, table: tableName, set: nodeSets[family], elements });
      }
    }
    if (commands.length === 0) return;
    const done = await this.#turns.take(async (change) => {
      this.#current = [...ranges];
      try {
        await change(this.#nftables, commands);
        return true;
      } catch (error) {
        // Somebody took the table or an element away.
        if (error instanceof BerthError && error.code === 'NOT_FOUND') return false;
        this.#current = [...before];
        throw error;
      }
    });
    if (!done) await this.#restore();
  }
}
