/** What the storage service shows and has done: its open pools as `berth get`, `inspect` and `undelete` see them. */
import { BerthError } from '../kit/errors.ts';
import type { Service } from '../kit/service.ts';
import type { PoolConfig } from './config.ts';
import { lookAtPools, lookAtSnapshots, lookAtTrash, lookAtVolumes } from './inspection.ts';
import type { StorageKernel } from './kernel.ts';
import { findObject, inspectObject } from './objectinspection.ts';
import type { OpenPool } from './openpool.ts';
import type { Pools } from './pools.ts';
import { mountedPlaces } from './shownpool.ts';
import type { ShownPool } from './shownpool.ts';
import { poolView } from './views.ts';

export interface StorageViewsParts {
  readonly configured: readonly PoolConfig[];
  readonly kernel: StorageKernel;
  /** Undefined while the service does not run. */
  readonly running: () => { readonly pools: Pools; readonly missing: ReadonlyMap<string, string> } | undefined;
}

export function storageViews({ configured, kernel, running }: StorageViewsParts): Pick<Service, 'views' | 'actions'> {
  const open = (): Pools => {
    const pools = running()?.pools;
    if (pools !== undefined) return pools;
    throw new BerthError('UNAVAILABLE', 'the storage plugin does not run; /readyz and the log of the agent say why');
  };
  const shown = (): readonly ShownPool[] => open().all().map(showPool(kernel));
  return {
    views: {
      volumes: () => lookAtVolumes(shown(), kernel.mounts),
      snapshots: () => lookAtSnapshots(shown()),
      trash: () => lookAtTrash(shown()),
      inspect: async (of) => [await inspectObject(shown(), of)],
      pools: async () => {
        const now = running();
        const views = now === undefined ? [] : await lookAtPools(now.pools.all().map(showPool(kernel)));
        const seen = new Set(views.map(({ name }) => name));
        const missing = configured.filter(({ name }) => !seen.has(name));
        const reasonOf = (name: string): string => now?.missing.get(name) ?? 'the storage plugin does not run';
        return [
          ...views,
          ...missing.map((pool) =>
            poolView({ ...pool, id: '', volumes: [], snapshots: [] }, undefined, reasonOf(pool.name)),
          ),
        ];
      },
    },
    actions: {
      undelete: async (of) => {
        const pools = open();
        const found = findObject(shown(), of, 'trashed');
        const { id } = found.object;
        if (found.trashed === undefined)
          throw new BerthError('ALREADY_EXISTS', `${id} is not deleted; it is ${found.object.state}`);
        const owner = pools.all().find(({ pool }) => pool.id === found.pool.id);
        if (owner === undefined) throw new BerthError('UNAVAILABLE', `the pool of ${id} is gone`);
        await pools.undelete(found.object, owner);
        return [await inspectObject(shown(), id)];
      },
    },
  };
}

function showPool({ filesystems }: StorageKernel): (open: OpenPool) => ShownPool {
  return ({ pool, config, parts }) => ({
    name: pool.name,
    id: pool.id,
    node: pool.node,
    path: pool.path,
    folders: pool.folders,
    engine: config.engine,
    volumes: parts.volumes.all(),
    snapshots: parts.snapshots.all(),
    trash: { entries: parts.trash.list(), unreadable: parts.trash.unreadable },
    retentionMs: config.trashRetention,
    figures: async () => {
      const { bytes } = await filesystems.usage(pool.path);
      const available = await parts.ledger.available();
      const { reserved } = parts.ledger;
      return { size: bytes.total, free: bytes.available, reserved, available, trash: parts.trash.bytes };
    },
    placesOf: (volume, mounted) => Promise.resolve(mountedPlaces(volume, parts.nodeState.of(volume.id), mounted)),
    usageOf: async (volume, path) => await (parts.engine.usage?.(volume) ?? filesystems.usage(path)),
    healthOf: () => Promise.resolve([]),
    look: (volume) => parts.engine.look(volume),
  });
}
