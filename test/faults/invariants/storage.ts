/** Storage of a node and of all together: mounts against uses, and what the API knows against what lies in the pools. Pure. */
import { differences } from './compare.ts';
import { idOf, poolViolations } from './pool.ts';
import type { PoolState } from './pool.ts';

export interface NodeStorage {
  readonly name: string;
  /** All that are configured. */
  readonly pools: readonly PoolState[];
  /** Mounts that the kubelet asked this driver for, with their device or filesystem. */
  readonly mounts: readonly { readonly path: string; readonly source: string }[];
}

/** `handles`: the volumes that the API server knows, on whatever node. */
export function volumeViolations(nodes: readonly NodeStorage[], handles: readonly string[]): readonly string[] {
  const images = nodes.flatMap(({ pools }) => pools.flatMap((pool) => pool.images.map(({ file }) => idOf(file))));
  return differences('persistent volume', handles, 'image', images);
}

/** `handles`: the snapshots that the API server knows, on whatever node. */
export function snapshotViolations(nodes: readonly NodeStorage[], handles: readonly string[]): readonly string[] {
  const files = nodes.flatMap(({ pools }) => pools.flatMap((pool) => pool.snapshots.map(({ file }) => idOf(file))));
  return differences('snapshot content', handles, 'snapshot', files);
}

export function storageViolations({ pools, mounts }: NodeStorage): readonly string[] {
  const devices = new Set(
    pools.flatMap(({ engine, device, loops }) => (engine === 'subvolume' ? device : loops.map((loop) => loop.device))),
  );
  return [
    ...pools.flatMap((pool) => poolViolations(pool).map((sentence) => `pool ${pool.name}: ${sentence}`)),
    ...differences(
      'a use at',
      pools.flatMap(({ uses }) => uses.flatMap(({ paths }) => paths)),
      'mount',
      mounts.map(({ path }) => path),
    ),
    ...mounts
      .filter(({ source }) => source.startsWith('/dev/loop') && !devices.has(source))
      .map(({ path, source }) => `mount ${path} is of ${source}, which has no image of a pool`),
  ];
}
