/** Doing the same for many things at once, but for so many at most. */

/** Calls `act` for each item, at most `most` at a time; resolves to what it resolved to, in the order of the items. */
export async function mapBounded<T, R>(
  items: readonly T[],
  most: number,
  act: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  return results;
}
