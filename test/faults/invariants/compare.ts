/** Comparing two lists that must be the same: what every invariant comes down to. */

/** A sentence for each item that stands in one list only, and for each that stands in the second more than once. */
export function differences(a: string, inA: readonly string[], b: string, inB: readonly string[]): readonly string[] {
  const [first, second] = [new Set(inA), new Set(inB)];
  return [
    ...[...first.difference(second)].map((item) => `${a} ${item} has no ${b}`),
    ...[...second.difference(first)].map((item) => `${b} ${item} has no ${a}`),
    ...repeated(inB).map((item) => `${b} ${item} is there more than once`),
  ];
}

/** Each item that a list has more than once, named once. */
export function repeated(items: readonly string[]): readonly string[] {
  return [...new Set(items.filter((item, index) => items.indexOf(item) !== index))];
}
