/** Long work in small pieces, so that the agent goes on answering: pods wait for their network meanwhile. */
import { setImmediate } from 'node:timers/promises';
import { errnoOf } from '../../kit/errors.ts';

/** Milliseconds of work without a pause. */
const slice = 4;

/** Returns a function that lets others have their turn when it is time. For work that is synchronous for its speed. */
export function pauses(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < slice) return;
    await setImmediate();
    since = performance.now();
  };
}

/** Does the work for every item, at most `limit` at a time. The first failure is thrown when all that began have ended. */
export async function forEachBounded<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true && failures.length === 0; next = rest.next())
      await work(next.value).catch((thrown: unknown) => failures.push(thrown));
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
}

/** Result of a reading, undefined where what is read is not there or cannot be read: devices come and go. */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    throwExhaustion(thrown);
    return undefined;
  }
}

/** That this process has no descriptors left is no reason to call every device gone. */
export function throwExhaustion(thrown: unknown): void {
  if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(errnoOf(thrown) ?? '')) throw thrown;
}
