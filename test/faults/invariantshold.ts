/** The end of every fault test: all invariants hold, at once or as soon as what is on its way has arrived. */
import { expect } from 'vitest';
import type { Cluster } from '../../cluster/cluster.ts';
import { eventually } from '../cluster/scene.ts';
import { findViolations } from './invariants.ts';

/** Fails with the sentences that are left after a minute. */
export async function invariantsHold(cluster: Cluster): Promise<void> {
  let violations: readonly string[] = [];
  await eventually('every invariant to hold', 60, async () => {
    violations = await findViolations(cluster);
    return violations.length === 0 ? true : undefined;
  }).catch((error: unknown) => {
    // Without a sentence it was the looking itself that failed.
    if (violations.length === 0) throw error;
  });
  expect(violations).toEqual([]);
}
