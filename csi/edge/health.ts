/** Health over CSI: the flag of 1.12 (`volume_condition`), and the calls of 1.13 with their several statuses. */
import { messageOf } from '../../kit/errors.ts';
import type { Handlers } from '../../protos/handlers.ts';
import type { Placement } from '../engine.ts';
import { ephemeralId } from '../ephemeral.ts';
import type { HealthMode } from '../config.ts';
import type { HealthStatus, Severity } from '../health.ts';
import type { OpenPool } from '../openpool.ts';
import type { Pools } from '../pools.ts';
import type { StorageHealth } from '../storagehealth.ts';
import { checkMaps, checkText, requireFields } from './fields.ts';
import { pageOf } from './paging.ts';

export interface HealthParts {
  readonly mode: HealthMode;
  readonly pools: Pools;
  readonly health: StorageHealth;
  /** Pools that could not be opened, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
}

const volumeErrors = {
  degraded: 'DEGRADED',
  inaccessible: 'INACCESSIBLE',
  data_loss: 'DATA_LOSS',
} as const satisfies Record<Severity, string>;

/** A CO takes no longer messages. */
const longestMessage = 1_024;

/** A volume's statuses in the shape of CSI 1.12: one flag and one text. */
function conditionOf(statuses: readonly HealthStatus[]): { readonly abnormal: boolean; readonly message: string } {
  if (statuses.length === 0) return { abnormal: false, message: 'volume is healthy' };
  const text = statuses.map(({ reason, message }) => `${message} [${reason}]`).join('; ');
  return { abnormal: true, message: text.slice(0, longestMessage) };
}

/** What is answered beside a volume in the shape of 1.12; nothing unless health is told. */
export async function volumeCondition(
  { mode, health }: HealthParts,
  open: OpenPool,
  id: string,
  placement?: Placement,
): Promise<{ readonly volume_condition?: ReturnType<typeof conditionOf> }> {
  if (mode === 'none') return {};
  const volume = open.volumes.get(id);
  try {
    const { statuses } = await health.ofVolume(open, volume, placement);
    return { volume_condition: conditionOf(statuses) };
  } catch (error) {
    // Figures are worth having without it, and that it cannot be read is no good sign.
    return { volume_condition: { abnormal: true, message: messageOf(error).slice(0, longestMessage) } };
  }
}

/** Capabilities of the node service. Clients of 1.12 stumble over those of 1.13, so they are offered only when asked for. */
export function nodeHealthCapabilities(mode: HealthMode): readonly { readonly rpc: { readonly type: NodeHealth } }[] {
  const types: Readonly<Record<HealthMode, readonly NodeHealth[]>> = {
    none: [],
    condition: ['VOLUME_CONDITION'],
    full: ['VOLUME_CONDITION', 'GET_VOLUME_HEALTH', 'GET_STORAGE_HEALTH'],
  };
  return types[mode].map((type) => ({ rpc: { type } }));
}
type NodeHealth = 'VOLUME_CONDITION' | 'GET_VOLUME_HEALTH' | 'GET_STORAGE_HEALTH';

/** Those of the controller service. */
export function controllerHealthCapabilities(
  mode: HealthMode,
): readonly { readonly rpc: { readonly type: 'GET_VOLUME_HEALTH' | 'LIST_VOLUME_HEALTH' } }[] {
  if (mode !== 'full') return [];
  return [{ rpc: { type: 'GET_VOLUME_HEALTH' } }, { rpc: { type: 'LIST_VOLUME_HEALTH' } }];
}

interface ToldHealth {
  readonly volume_id: string;
  readonly health_statuses: {
    readonly status: (typeof volumeErrors)[Severity];
    readonly reason: string;
    readonly message: string;
  }[];
}

/** `id` is the CO's, which is another than ours for inline volumes. Throws NOT_FOUND. */
async function healthOf({ pools, health }: HealthParts, volume_id: string): Promise<ToldHealth> {
  const id = ephemeralId(pools, volume_id) ?? volume_id;
  const open = pools.ofVolume(id);
  const { statuses } = await health.ofVolume(open, open.volumes.get(id));
  const health_statuses = statuses.map(({ severity, reason, message }) => ({
    status: volumeErrors[severity],
    reason,
    message: message.slice(0, longestMessage),
  }));
  return { volume_id, health_statuses };
}

/** Calls of the controller service; none unless `full`. */
export function controllerHealthHandlers(
  parts: HealthParts,
): Pick<Handlers<'csi.v1.Controller'>, 'ControllerGetVolumeHealth' | 'ControllerListVolumeHealth'> {
  if (parts.mode !== 'full') return {};
  return {
    ControllerGetVolumeHealth: async ({ volume_id, secrets }) => {
      requireFields({ volume_id });
      checkText('volume_id', volume_id);
      checkMaps({ secrets });
      return { volume_health: await healthOf(parts, volume_id) };
    },

    // All of them, also the healthy: whoever lists learns so that a volume is well again.
    ControllerListVolumeHealth: async ({ max_entries: max, starting_token: token, secrets }) => {
      checkMaps({ secrets });
      const page = pageOf(parts.pools.volumes(), { kind: 'volume', max, token });
      const entries: ToldHealth[] = [];
      for (const { id } of page.entries) {
        // One that is deleted while the others are looked at is left out.
        if (parts.pools.ofId('volume', id)?.volumes.find(id)?.state === 'ready')
          entries.push(await healthOf(parts, id));
      }
      return { entries, next_token: page.next_token };
    },
  };
}

/** Calls of the node service; none unless `full`. */
export function nodeHealthHandlers(
  parts: HealthParts,
): Pick<Handlers<'csi.v1.Node'>, 'NodeGetVolumeHealth' | 'NodeGetStorageHealth'> {
  if (parts.mode !== 'full') return {};
  return {
    // The paths say where the CO believes the volume to be; it need not be anywhere.
    NodeGetVolumeHealth: async ({ volume_id }) => {
      requireFields({ volume_id });
      checkText('volume_id', volume_id);
      return { volume_health: await healthOf(parts, volume_id) };
    },

    NodeGetStorageHealth: async ({ secrets }) => {
      checkMaps({ secrets });
      const found = await Promise.all(parts.pools.all().map((open) => parts.health.ofPool(open)));
      const open = found.flat().map(({ severity, reason, message }) => ({
        status: severity === 'degraded' ? ('STORAGE_DEGRADED' as const) : ('STORAGE_UNREACHABLE' as const),
        reason,
        message: message.slice(0, longestMessage),
      }));
      const missing = [...parts.missing].map(([name, reason]) => ({
        status: 'STORAGE_UNREACHABLE' as const,
        reason: 'PoolMissing',
        message: `pool "${name}" could not be opened: ${reason}`.slice(0, longestMessage),
      }));
      return { backend_health: [...open, ...missing] };
    },
  };
}
