/** Looking up in values by a key that comes from outside. */

/** The value under a key: what every object has by nature is none. */
export function own(values: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(values, key) ? values[key] : undefined;
}
