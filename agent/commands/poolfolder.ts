/** Looks into the folder of a pool without an agent; what cannot be read there goes to standard error. */
import { realKernel } from '../../csi/kernel.ts';
import { lookAtSnapshots, lookAtTrash, lookAtVolumes } from '../../csi/inspection.ts';
import { inspectObject } from '../../csi/objectinspection.ts';
import type { InspectedSnapshot, InspectedVolume } from '../../csi/objectinspection.ts';
import { readPool } from '../../csi/poolreading.ts';
import type { ShownPool } from '../../csi/shownpool.ts';
import type { storedKinds } from './choices.ts';

const kernel = realKernel();

async function open(path: string): Promise<readonly [ShownPool]> {
  const { pool, warnings } = await readPool(path, kernel);
  for (const warning of warnings) process.stderr.write(`berth: ${warning}\n`);
  return [pool];
}

/** What the agent would show of that pool, as far as it can be told without one. */
export async function lookAtPoolFolder(kind: (typeof storedKinds)[number], path: string): Promise<readonly object[]> {
  const pools = await open(path);
  switch (kind) {
    case 'volumes':
      return await lookAtVolumes(pools, kernel.mounts);
    case 'snapshots':
      return await lookAtSnapshots(pools);
    case 'trash':
      return lookAtTrash(pools);
  }
}

/** Throws NOT_FOUND when nothing in it is called that. */
export async function inspectInPoolFolder(asked: string, path: string): Promise<InspectedVolume | InspectedSnapshot> {
  return await inspectObject(await open(path), asked);
}
