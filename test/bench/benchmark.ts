/** What a benchmark is: something prepared on the machine, then measured in namespaces of its own. */
import type { Figure, Quantity } from './stats.ts';

export interface Scene {
  /** A folder on a real disk, empty and ours; removed afterwards with every loop device of files in it. */
  readonly work: string;
  /** The number of this run: what belongs to the machine and not to the namespaces carries it, so that others can clean up. */
  readonly run: number;
  /** Fires when somebody wants the run to end. */
  readonly signal: AbortSignal;
}

export interface Benchmark {
  /** As given to `npm run bench`; figures are called `<name>.…`. */
  readonly name: string;
  /** On the machine itself, with its network: builds ours and the peers. Throws when a peer is not to be had. */
  prepare(work: string): Promise<void>;
  /**
   * In network, mount and pid namespaces of its own, with an empty /run: processes, mounts and links need no clean-up,
   * they end with the namespaces.
   */
  run(scene: Scene): AsyncIterable<Figure | Quantity>;
}
