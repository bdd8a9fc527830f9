/** Whoever changes our nft table does so in turn, and each change is counted, so that those of others can be told from ours. */
import { KeyedLock } from '../kit/keyedlock.ts';
import type { NftCommand, Nftables } from '../linux/nftables/nftables.ts';

/** Runs a transaction within a turn. */
export type Change = (nftables: Nftables, commands: readonly NftCommand[]) => Promise<void>;

export class TableTurns {
  readonly #lock = new KeyedLock();
  #changes = 0;

  /** Transactions so far. To be read within a turn. */
  get changes(): number {
    return this.#changes;
  }

  /** Runs `work` while nobody else of this process changes the table. */
  async take<T>(work: (change: Change) => Promise<T>): Promise<T> {
    return await this.#lock.run('table', () =>
      work(async (nftables, commands) => {
        await nftables.run(commands);
        this.#changes++;
      }),
    );
  }
}
