/** The CSI Controller service for this node's pool: decode, validate, hand over. csi-provisioner calls it. */
import { BerthError, asBerthError } from '../../kit/errors.ts';
import type { Handlers } from '../../protos/handlers.ts';
import type { EngineOffers } from '../engine.ts';
import type { Ledger } from '../ledger.ts';
import { assertUsable } from '../nodevolumes.ts';
import { commonType } from '../sizing.ts';
import { sectorBytes } from '../volume.ts';
import type { FsType, VolumeRecord, WantedUse } from '../volume.ts';
import type { Volumes } from '../volumes.ts';
import { decodeCapability, requireUse } from './capability.ts';
import { checkMaps, checkText, decodeRange, invalid, requireFields } from './fields.ts';
import { decodeParameters } from './parameters.ts';
import type { VolumeParameters } from './parameters.ts';
import { assertWantedHere, includes } from './topology.ts';
import type { Topology } from './topology.ts';

export interface ControllerParts {
  readonly volumes: Volumes;
  readonly ledger: Ledger;
  readonly offers: EngineOffers;
  readonly poolName: string;
  readonly topology: Topology;
}

/** What CreateVolume answers. The context is empty: a node finds everything in its own records. */
function describe(volume: VolumeRecord, topology: Topology): object {
  return { volume_id: volume.id, capacity_bytes: volume.bytes.toString(), accessible_topology: [topology] };
}

function withFsType(use: WantedUse, fsType: FsType | undefined): WantedUse {
  return use.kind === 'filesystem' && use.fsType === undefined ? { ...use, fsType } : use;
}

/**
 * The parameters of a class, or none when it has mistakes. Without an answer to GetCapacity the scheduler would only say that
 * nothing fits; with one the claim gets as far as CreateVolume, whose sentence a user sees on it.
 */
function parametersOrAny(parameters: Readonly<Record<string, string>>): VolumeParameters {
  try {
    return decodeParameters(parameters);
  } catch (error) {
    if (asBerthError(error).code === 'INVALID_ARGUMENT') return { pool: undefined, fsType: undefined };
    throw error;
  }
}

export function controllerHandlers({
  volumes,
  ledger,
  offers,
  poolName,
  topology,
}: ControllerParts): Handlers<'csi.v1.Controller'> {
  const hasPool = (pool: string | undefined): boolean => pool === undefined || pool === poolName;
  return {
    ControllerGetCapabilities: () => ({
      capabilities: [
        { rpc: { type: 'CREATE_DELETE_VOLUME' } },
        { rpc: { type: 'GET_CAPACITY' } },
        { rpc: { type: 'SINGLE_NODE_MULTI_WRITER' } },
      ],
    }),

    CreateVolume: async (request) => {
      const { name, volume_capabilities: capabilities, mutable_parameters: mutable } = request;
      requireFields({ name, volume_capabilities: capabilities });
      checkText('name', name);
      checkMaps({ parameters: request.parameters, secrets: request.secrets, mutable_parameters: mutable });
      const wanted = capabilities.map(requireUse);
      const { pool, fsType } = decodeParameters(request.parameters);
      const uses = wanted.map((use) => withFsType(use, fsType));
      commonType(uses);
      const [key] = Object.keys(mutable);
      if (key !== undefined) throw invalid(`mutable parameter ${JSON.stringify(key.slice(0, 64))} is not supported`);
      const range = decodeRange(request.capacity_range);
      if (request.volume_content_source !== null) throw invalid('volume_content_source is not supported');
      assertWantedHere(topology, request.accessibility_requirements);
      if (!hasPool(pool)) {
        const sentence = `this node has no pool ${JSON.stringify(pool)}, only ${JSON.stringify(poolName)}`;
        throw new BerthError('RESOURCE_EXHAUSTED', sentence);
      }
      const parameters = pool === undefined ? {} : { pool };
      return {
        volume: describe(
          await volumes.create({ name, range, uses, parameters, provisioning: 'thick', mutable }),
          topology,
        ),
      };
    },

    DeleteVolume: async (request) => {
      requireFields({ volume_id: request.volume_id });
      checkText('volume_id', request.volume_id);
      checkMaps({ secrets: request.secrets });
      await volumes.delete(request.volume_id);
      return {};
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
      const volume = volumes.get(id);
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
      const { pool, fsType } = parametersOrAny(request.parameters);
      const elsewhere = request.accessible_topology !== null && !includes(topology, request.accessible_topology);
      const wanted = uses.flatMap((use) => ('reason' in use ? [] : [withFsType(use, fsType)]));
      // What can never be made here has no room here; that is an answer, not an error.
      if (elsewhere || !hasPool(pool) || wanted.length < uses.length) return { available_capacity: '0' };
      const type = wanted.length === 0 ? undefined : (commonType(wanted) ?? 'xfs');
      const available = await ledger.available();
      const size = ((available / sectorBytes) * sectorBytes).toString();
      const minimum = type === undefined ? undefined : offers.minimumOf(type).toString();
      return {
        available_capacity: size,
        maximum_volume_size: { value: size },
        ...(minimum === undefined ? {} : { minimum_volume_size: { value: minimum } }),
      };
    },
  };
}
