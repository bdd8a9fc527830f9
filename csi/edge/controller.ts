/** The CSI Controller service for this node's pools: decode, validate, hand over. csi-provisioner calls it. */
import { asBerthError, BerthError } from '../../kit/errors.ts';
import type { Handlers } from '../../protos/handlers.ts';
import type { VolumeContentSource__Output } from '../../protos/types/csi/v1/VolumeContentSource.ts';
import { growVolume } from '../growth.ts';
import { parseIoLimits } from '../iolimits.ts';
import { modifyVolume } from '../modification.ts';
import { assertUsable } from '../nodeuse.ts';
import type { OpenPool } from '../openpool.ts';
import type { Pools } from '../pools.ts';
import { commonType } from '../sizing.ts';
import type { ContentSource, FsType, VolumeRecord, WantedUse } from '../volume.ts';
import { decodeCapability, requireUse } from './capability.ts';
import { checkMaps, checkText, decodeRange, invalid, requireFields } from './fields.ts';
import { controllerHealthCapabilities, controllerHealthHandlers, volumeCondition } from './health.ts';
import type { HealthParts } from './health.ts';
import { pageOf } from './paging.ts';
import { claimOf, decodeParameters } from './parameters.ts';
import type { VolumeParameters } from './parameters.ts';
import { largestIn, minimumIn } from './room.ts';
import { snapshotHandlers } from './snapshots.ts';
import { assertWantedHere, includes } from './topology.ts';
import type { Topology } from './topology.ts';

export interface ControllerParts {
  readonly pools: Pools;
  readonly topology: Topology;
  /** Whether growing and modifying are offered here too (`storage.central`). */
  readonly central: boolean;
  readonly health: HealthParts;
}

/** What a CO is told of a volume. The context is empty: a node finds everything in its own records. */
function describe({ id, bytes, source }: VolumeRecord, topology: Topology): object {
  return {
    volume_id: id,
    capacity_bytes: bytes.toString(),
    accessible_topology: [topology],
    ...(source === undefined
      ? {}
      : {
          content_source:
            source.kind === 'snapshot'
              ? { snapshot: { snapshot_id: source.id } }
              : { volume: { volume_id: source.id } },
        }),
  };
}

function withFsType(use: WantedUse, fsType: FsType | undefined): WantedUse {
  return use.kind === 'filesystem' && use.fsType === undefined ? { ...use, fsType } : use;
}

function decodeSource(source: VolumeContentSource__Output | null): ContentSource | undefined {
  if (source === null) return undefined;
  const id = source.type === 'snapshot' ? source.snapshot?.snapshot_id : source.volume?.volume_id;
  if (source.type === undefined || id === undefined || id === '')
    throw invalid('volume_content_source names neither a snapshot nor a volume');
  checkText('volume_content_source', id);
  return { kind: source.type, id };
}

/**
 * The parameters of a class, or none when it has mistakes. Without an answer to GetCapacity the scheduler would only say that
 * nothing fits; with one the claim gets as far as CreateVolume, whose sentence a user sees on it.
 */
function parametersOrAny(parameters: Readonly<Record<string, string>>): VolumeParameters {
  try {
    return decodeParameters(parameters);
  } catch (error) {
    if (asBerthError(error).code !== 'INVALID_ARGUMENT') throw error;
    return { pool: undefined, fsType: undefined, provisioning: 'thick', own: {} };
  }
}

function candidatesFor(
  pools: Pools,
  { pool, provisioning }: VolumeParameters,
  uses: readonly WantedUse[],
): readonly OpenPool[] {
  try {
    return pools.candidates({ pool, provisioning, uses, source: undefined });
  } catch (error) {
    if (error instanceof BerthError && error.code === 'RESOURCE_EXHAUSTED') return [];
    throw error;
  }
}

export function controllerHandlers({
  pools,
  topology,
  central,
  health,
}: ControllerParts): Handlers<'csi.v1.Controller'> {
  return {
    ...snapshotHandlers(pools),
    ...controllerHealthHandlers(health),

    ControllerGetCapabilities: () => ({
      capabilities: [
        { rpc: { type: 'CREATE_DELETE_VOLUME' } },
        { rpc: { type: 'GET_CAPACITY' } },
        { rpc: { type: 'LIST_VOLUMES' } },
        { rpc: { type: 'GET_VOLUME' } },
        { rpc: { type: 'CREATE_DELETE_SNAPSHOT' } },
        { rpc: { type: 'LIST_SNAPSHOTS' } },
        { rpc: { type: 'GET_SNAPSHOT' } },
        { rpc: { type: 'CLONE_VOLUME' } },
        { rpc: { type: 'SINGLE_NODE_MULTI_WRITER' } },
        // Without it csi-provisioner makes no volume of a claim that names a VolumeAttributesClass.
        { rpc: { type: 'MODIFY_VOLUME' } },
        ...(central ? [{ rpc: { type: 'EXPAND_VOLUME' as const } }] : []),
        ...controllerHealthCapabilities(health.mode),
      ],
    }),

    CreateVolume: async (request) => {
      const { name, volume_capabilities: capabilities, mutable_parameters: mutable } = request;
      requireFields({ name, volume_capabilities: capabilities });
      checkText('name', name);
      checkMaps({ parameters: request.parameters, secrets: request.secrets, mutable_parameters: mutable });
      const wanted = capabilities.map(requireUse);
      const { pool, fsType, provisioning, own } = decodeParameters(request.parameters);
      const source = decodeSource(request.volume_content_source);
      const uses = wanted.map((use) => withFsType(use, fsType));
      commonType(uses);
      parseIoLimits(mutable);
      const range = decodeRange(request.capacity_range);
      assertWantedHere(topology, request.accessibility_requirements);
      const claim = claimOf(request.parameters);
      const common = { name, range, uses, source, provisioning, parameters: own, mutable, claim };
      return { volume: describe(await pools.create({ ...common, pool }), topology) };
    },

    DeleteVolume: async (request) => {
      requireFields({ volume_id: request.volume_id });
      checkText('volume_id', request.volume_id);
      checkMaps({ secrets: request.secrets });
      await pools.deleteVolume(request.volume_id);
      return {};
    },

    ListVolumes: ({ max_entries: max, starting_token: token }) => {
      const { entries, next_token } = pageOf(pools.volumes(), { kind: 'volume', max, token });
      return { entries: entries.map((volume) => ({ volume: describe(volume, topology) })), next_token };
    },

    ControllerGetVolume: async ({ volume_id: id }) => {
      requireFields({ volume_id: id });
      checkText('volume_id', id);
      const open = pools.ofVolume(id);
      return { volume: describe(open.volumes.get(id), topology), status: await volumeCondition(health, open, id) };
    },

    ValidateVolumeCapabilities: (request) => {
      const {
        volume_id: id,
        volume_capabilities: capabilities,
        volume_context,
        parameters,
        mutable_parameters,
      } = request;
      requireFields({ volume_id: id, volume_capabilities: capabilities });
      checkText('volume_id', id);
      checkMaps({ volume_context, parameters, mutable_parameters, secrets: request.secrets });
      const uses = capabilities.map(decodeCapability);
      const volume = pools.ofVolume(id).volumes.get(id);
      for (const use of uses) {
        if ('reason' in use) return { message: use.reason };
        try {
          assertUsable(volume, use);
        } catch (error) {
          if (error instanceof BerthError) return { message: error.message };
          throw error;
        }
      }
      return { confirmed: { volume_context, volume_capabilities: capabilities, parameters, mutable_parameters } };
    },

    GetCapacity: async (request) => {
      checkMaps({ parameters: request.parameters });
      const uses = request.volume_capabilities.map(decodeCapability);
      const parameters = parametersOrAny(request.parameters);
      const elsewhere = request.accessible_topology !== null && !includes(topology, request.accessible_topology);
      const wanted = uses.flatMap((use) => ('reason' in use ? [] : [withFsType(use, parameters.fsType)]));
      // What can never be made here has no room here; that is an answer, not an error.
      const candidates = elsewhere || wanted.length < uses.length ? [] : candidatesFor(pools, parameters, wanted);
      // The size of one volume: it has to lie in one pool.
      let best: { readonly size: bigint; readonly open: OpenPool } | undefined;
      for (const open of candidates) {
        const size = await largestIn(open, parameters);
        if (best === undefined || size > best.size) best = { size, open };
      }
      if (best === undefined) return { available_capacity: '0' };
      const size = best.size.toString();
      const minimum = wanted.length === 0 ? undefined : minimumIn(best.open, wanted);
      return {
        available_capacity: size,
        maximum_volume_size: { value: size },
        ...(minimum === undefined ? {} : { minimum_volume_size: { value: minimum.toString() } }),
      };
    },

    ControllerModifyVolume: async ({ volume_id: id, mutable_parameters, secrets }) => {
      requireFields({ volume_id: id });
      checkText('volume_id', id);
      checkMaps({ mutable_parameters, secrets });
      if (Object.keys(mutable_parameters).length === 0) throw invalid('mutable_parameters is missing');
      parseIoLimits(mutable_parameters);
      const { volumes, parts } = pools.ofVolume(id);
      await volumes.exclusive(id, 'modifying', () => modifyVolume(volumes.get(id), mutable_parameters, parts));
      return {};
    },

    ControllerExpandVolume: async ({ volume_id: id, capacity_range, volume_capability, secrets }) => {
      requireFields({ volume_id: id, capacity_range });
      checkText('volume_id', id);
      checkMaps({ secrets });
      if (volume_capability !== null) requireUse(volume_capability);
      const range = decodeRange(capacity_range);
      if (range === undefined) throw invalid('capacity_range is missing');
      const { volumes, parts } = pools.ofVolume(id);
      const grown = await volumes.exclusive(id, 'growing', () => growVolume(volumes.get(id), range, parts));
      // A filesystem grows where it is mounted, at the latest with the next staging.
      return { capacity_bytes: grown.bytes.toString(), node_expansion_required: grown.use.kind === 'filesystem' };
    },
  };
}
