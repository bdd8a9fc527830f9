/** A value of which only the newest matters: readers wait for a change and may miss those in between. */

export class Latest<T> {
  #value: T;
  #change = Promise.withResolvers<undefined>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  /** Resolves at the next `set`. Take it before reading the value, else a change in between is missed. */
  get changed(): Promise<unknown> {
    return this.#change.promise;
  }

  set(value: T): void {
    this.#value = value;
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve(undefined);
  }
}
