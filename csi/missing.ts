/** What is not there is often no failure but an answer. */
import { errnoOf } from '../kit/errors.ts';

/** The work's result, or undefined when it fails with ENOENT. */
export async function missingIsUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
