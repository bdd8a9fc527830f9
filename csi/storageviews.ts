/** What the storage service shows and has done: its open pools as `berth get`, `inspect` and `undelete` see them. */
import { BerthError } from '../kit/errors.ts';
import type { RecentCalls } from '../kit/recentcalls.ts';
import type { Service } from '../kit/service.ts';
import type { RegistrarStatus } from '../kubelet/registrar.ts';
import type { RegistrationView } from '../kubelet/registrationview.ts';
import type { PoolConfig } from './config.ts';
import { lookAtPools, lookAtSnapshots, lookAtTrash, lookAtVolumes } from './inspection.ts';
import type { StorageKernel } from './kernel.ts';
import { findObject, inspectObject } from './objectinspection.ts';
import type { HealthReason } from './health.ts';
import type { HealthWatch } from './healthwatch.ts';
import type { OpenPool } from './openpool.ts';
import type { Pools } from './pools.ts';
import { mountedPlaces } from './shownpool.ts';
import type { ShownPool } from './shownpool.ts';
import { StorageHealth } from './storagehealth.ts';
import { claimText, poolView } from './views.ts';
import type { IllVolumeView } from './views.ts';

export interface StorageViewsParts {
  readonly configured: readonly PoolConfig[];
  readonly driverName: string;
  readonly recent: RecentCalls;
  readonly kernel: StorageKernel;
  /** Undefined while the service does not run. */
  readonly running: () => RunningStorage | undefined;
}

interface RunningStorage {
  readonly pools: Pools;
  /** Pools that could not be opened, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
  readonly watch: Pick<HealthWatch, 'pools' | 'volumes'>;
  readonly serving: { readonly registrar: { status(): RegistrarStatus } };
}

export function storageViews(parts: StorageViewsParts): Pick<Service, 'views' | 'actions'> {
  const { configured, kernel, running } = parts;
  const health = new StorageHealth(kernel);
  const open = (): RunningStorage => {
    const now = running();
    if (now !== undefined) return now;
    throw new BerthError('UNAVAILABLE', 'the storage plugin does not run; /readyz and the log of the agent say why');
  };
  const shown = (now = open()): readonly ShownPool[] => {
    const reasons = new Map(now.watch.volumes().map((figures) => [figures.volume, figures.reasons]));
    return now.pools
      .all()
      .map((pool) => showPool(pool, { kernel, health, ofPools: now.watch.pools(), ofVolumes: reasons }));
  };
  return {
    views: {
      volumes: () => lookAtVolumes(shown(), kernel.mounts),
      snapshots: () => lookAtSnapshots(shown()),
      illvolumes: () => illVolumes(running() === undefined ? [] : shown()),
      trash: () => lookAtTrash(shown()),
      calls: () => parts.recent.list(),
      registrations: () => [registrationView(parts.driverName, running()?.serving.registrar.status())],
      inspect: async (of) => [await inspectObject(shown(), of)],
      pools: async () => {
        const now = running();
        const views = now === undefined ? [] : await lookAtPools(shown(now));
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
        const { pools } = open();
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

/** Only what was seen last: this is asked every few seconds. */
function illVolumes(pools: readonly ShownPool[]): readonly IllVolumeView[] {
  return pools.flatMap((pool) =>
    pool.volumes.flatMap((record) => {
      const reasons = pool.reasonsOf(record) ?? [];
      return reasons.length === 0 ? [] : [{ name: record.name, claim: claimText(record.claim), reasons }];
    }),
  );
}

function registrationView(name: string, status: RegistrarStatus | undefined): RegistrationView {
  const { state, ...more } = status ?? { state: 'waiting', reason: 'the storage plugin does not run' };
  return { kind: 'CSI driver', name, state, reason: 'reason' in more ? more.reason : '' };
}

interface ShowingParts {
  readonly kernel: StorageKernel;
  readonly health: StorageHealth;
  /** As they were last looked at: of pools by name, of volumes by ID. */
  readonly ofPools: ReadonlyMap<string, readonly HealthReason[]>;
  readonly ofVolumes: ReadonlyMap<string, readonly HealthReason[]>;
}

function showPool(open: OpenPool, { kernel: { filesystems }, health, ofPools, ofVolumes }: ShowingParts): ShownPool {
  const { pool, config, parts } = open;
  return {
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
    reasons: ofPools.get(pool.name),
    reasonsOf: (volume) => ofVolumes.get(volume.id),
    healthOf: async (volume, placement) => (await health.ofVolume(open, volume, placement)).statuses,
    look: (volume) => parts.engine.look(volume),
  };
}
