/** Devices that the kernel has removed: not yet announced, or removed while a look went on that may have seen them still. */

export class Removals {
  readonly #since = new Map<string, number>();
  readonly #meanwhile = new Set<string>();

  /** Notes a place that is gone. True for the first since the last `take`. */
  add(devpath: string, since: number): boolean {
    this.#since.set(devpath, since);
    return this.#since.size === 1;
  }

  /** What is to be announced, with the time of the first; undefined when there is nothing. */
  take(): { readonly places: readonly string[]; readonly since: number } | undefined {
    const [since] = this.#since.values();
    if (since === undefined) return undefined;
    const places = [...this.#since.keys()];
    this.#since.clear();
    for (const place of places) this.#meanwhile.add(place);
    return { places, since };
  }

  /** A look begins: what was removed before and is there again will be seen. */
  beginLook(): void {
    this.#meanwhile.clear();
  }

  /** Places that were removed since the look began. */
  get duringLook(): readonly string[] {
    return [...this.#meanwhile];
  }
}
