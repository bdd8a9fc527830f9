/** Work that is done at once, where none of it may go on once any has failed. */

/** Waits until all have ended, and only then throws the first failure among them: whoever cleans up meets nobody still at work. */
export async function together(works: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(works)) if (end.status === 'rejected') throw end.reason;
}
