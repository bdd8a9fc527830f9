/** Work on several things, of which one that fails must not keep the others. */

/** Does the work for one after another, also after a failure; throws the first one when all have had their turn. */
export async function forEachDespite<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
