/** One operation at a time per key: `run` queues (fair, FIFO), `tryRun` refuses when the key is taken. */
import { BerthError } from './errors.ts';

export class KeyedLock {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** True while an operation holds or waits for the key. */
  busy(key: string): boolean {
    return this.#tails.has(key);
  }

  /** Runs `work` after every earlier operation on the key has settled. The place in the queue is taken synchronously. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const tail = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  /** Runs `work` at once, or throws BUSY when another operation has the key. `what` names the key for a person. */
  async tryRun<T>(key: string, what: string, work: () => Promise<T>): Promise<T> {
    if (this.busy(key))
      throw new BerthError('BUSY', `another operation on ${what} is still running; try again when it has ended`);
    return await this.run(key, work);
  }
}
