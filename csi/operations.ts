/** One operation at a time per object, and the knowledge of what still runs: an operation outlives the call that began it. */
import { KeyedLock } from '../kit/keyedlock.ts';
import { failureOf } from './failures.ts';

export class Operations {
  readonly #locks = new KeyedLock();
  readonly #running = new Set<Promise<unknown>>();

  /** True while an operation on the object runs: what is seen of it then may be half of something. */
  busy(id: string): boolean {
    return this.#locks.busy(id);
  }

  /**
   * Runs the only operation on a volume, snapshot or group; throws BUSY when there is one. The lock is taken before the first
   * await. `what` begins the sentence of a failure: `staging volume`.
   */
  exclusive<T>(id: string, what: string, work: () => Promise<T>): Promise<T> {
    return this.#track(
      this.#locks.tryRun(id, id, async () => {
        try {
          return await work();
        } catch (error) {
          throw failureOf(error, `${what} ${id}`);
        }
      }),
    );
  }

  /** The same for several objects at once; throws BUSY when any of them is taken, and then holds none. */
  async exclusiveAll<T>(ids: readonly string[], what: string, work: () => Promise<T>): Promise<T> {
    const [first, ...rest] = ids;
    if (first === undefined) return await work();
    return await this.exclusive(first, what, () => this.exclusiveAll(rest, what, work));
  }

  /** Runs the only operation on a name of the CO's; throws BUSY when there is one. */
  named<T>(kind: string, name: string, work: () => Promise<T>): Promise<T> {
    return this.#track(this.#locks.tryRun(`${kind}/${name}`, `${kind} "${name}"`, work));
  }

  /** Runs work that nobody waits for, after earlier work on the same name. */
  later(kind: string, name: string, work: () => Promise<void>): Promise<void> {
    return this.#track(this.#locks.run(`${kind}/${name}`, work));
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #track<T>(operation: Promise<T>): Promise<T> {
    const settled = operation.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
    return operation;
  }
}
