/** Records of one kind in memory, found by ID and by the CO's name. */

interface Named {
  readonly id: string;
  readonly name: string;
}

export class Records<T extends Named> {
  readonly #byId = new Map<string, T>();
  readonly #idByName = new Map<string, string>();

  /** Enters a record or replaces the one with its ID. */
  enter(record: T): void {
    this.#byId.set(record.id, record);
    this.#idByName.set(record.name, record.id);
  }

  forget({ id, name }: Named): void {
    this.#byId.delete(id);
    if (this.#idByName.get(name) === id) this.#idByName.delete(name);
  }

  /** In any state. */
  find(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** In any state. */
  named(name: string): T | undefined {
    const id = this.#idByName.get(name);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  all(): readonly T[] {
    return [...this.#byId.values()];
  }

  get size(): number {
    return this.#byId.size;
  }
}
