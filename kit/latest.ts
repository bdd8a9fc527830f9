/** A value of which only the newest matters: readers hear of a change and may miss those in between. */

export class Latest<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  /**
   * Calls `listener` at each `set` until `signal` fires. A listener instead of a promise: who waits for one of several
   * things again and again would leave something behind at each that does not happen.
   */
  onChange(listener: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /** Resolves at the next `set`. Take it before reading the value, else a change in between is missed. */
  get changed(): Promise<unknown> {
    return new Promise<void>((resolve) => {
      const once = (): void => {
        this.#listeners.delete(once);
        resolve();
      };
      this.#listeners.add(once);
    });
  }
}
