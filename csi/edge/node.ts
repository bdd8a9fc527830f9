/** The CSI Node service: decode, validate, hand over. The kubelet calls it. */
import { BerthError } from '../../kit/errors.ts';
import { KeyedLock } from '../../kit/keyedlock.ts';
import type { Handlers } from '../../protos/handlers.ts';
import { ephemeralId, publishEphemeral, unpublishEphemeral } from '../ephemeral.ts';
import type { EphemeralPolicy } from '../ephemeral.ts';
import type { PublishRequest } from '../nodeuse.ts';
import type { NodeVolumes } from '../nodevolumes.ts';
import { poolOf } from '../objectid.ts';
import type { Pools } from '../pools.ts';
import type { WantedUse } from '../volume.ts';
import { requireUse } from './capability.ts';
import { decodeInline, isInline } from './inline.ts';
import { checkMaps, checkPath, checkText, decodeRange, invalid, pathFault, requireFields } from './fields.ts';
import { nodeHealthCapabilities, nodeHealthHandlers, volumeCondition } from './health.ts';
import type { HealthParts } from './health.ts';
import type { Topology } from './topology.ts';

export interface NodeParts {
  readonly pools: Pools;
  readonly kubeletRoot: string;
  readonly nodeName: string;
  readonly maxVolumes: number;
  readonly topology: Topology;
  readonly ephemeral: EphemeralPolicy;
  readonly health: HealthParts;
}

/** Whether the pod may only read: asked for by the request, or all its access mode allows. */
function isReadonly(use: WantedUse, readonly: boolean): boolean {
  return readonly || use.mode === 'SINGLE_NODE_READER_ONLY' || use.mountFlags.includes('ro');
}

export function nodeHandlers(parts: NodeParts): Handlers<'csi.v1.Node'> {
  const { pools, kubeletRoot, nodeName, maxVolumes, topology, ephemeral, health } = parts;

  /** Where a volume of this ID is, or would be: taking back what does not exist is done anywhere. */
  const nodeVolumesOf = (id: string): NodeVolumes => {
    const open = pools.ofId('volume', id) ?? pools.all()[0];
    if (open === undefined) throw new BerthError('UNAVAILABLE', 'no pool is open');
    return open.nodeVolumes;
  };

  // Of the node, whatever pools and volumes there are: of two volumes mounted at one path the later would hide the other.
  const paths = new KeyedLock();
  const alone = (path: string, work: () => Promise<unknown>): Promise<unknown> => paths.tryRun(path, path, work);

  return {
    ...nodeHealthHandlers(health),

    NodeGetInfo: () => ({
      node_id: nodeName,
      max_volumes_per_node: String(maxVolumes),
      accessible_topology: topology,
    }),

    NodeGetCapabilities: () => ({
      capabilities: [
        { rpc: { type: 'STAGE_UNSTAGE_VOLUME' } },
        { rpc: { type: 'GET_VOLUME_STATS' } },
        { rpc: { type: 'EXPAND_VOLUME' } },
        { rpc: { type: 'SINGLE_NODE_MULTI_WRITER' } },
        ...nodeHealthCapabilities(health.mode),
      ],
    }),

    NodeStageVolume: async (request) => {
      const { volume_id, staging_target_path, volume_capability, publish_context, volume_context, secrets } = request;
      requireFields({ volume_id, staging_target_path, volume_capability });
      checkText('volume_id', volume_id);
      checkMaps({ publish_context, volume_context, secrets });
      const use = requireUse(volume_capability);
      checkPath('staging_target_path', staging_target_path, kubeletRoot);
      await alone(staging_target_path, () => nodeVolumesOf(volume_id).stage(volume_id, staging_target_path, use));
      return {};
    },

    NodeUnstageVolume: async ({ volume_id, staging_target_path }) => {
      requireFields({ volume_id, staging_target_path });
      checkText('volume_id', volume_id);
      checkPath('staging_target_path', staging_target_path, kubeletRoot);
      await alone(staging_target_path, () => nodeVolumesOf(volume_id).unstage(volume_id, staging_target_path));
      return {};
    },

    NodePublishVolume: async (request) => {
      const { volume_id, target_path, staging_target_path, volume_capability, publish_context, volume_context } =
        request;
      requireFields({ volume_id, target_path, volume_capability });
      checkText('volume_id', volume_id);
      checkMaps({ publish_context, volume_context, secrets: request.secrets });
      const use = requireUse(volume_capability);
      const readonly = isReadonly(use, request.readonly);
      if (use.kind === 'block' && readonly) {
        // A read-only mount of a device node still lets the device be written to.
        throw invalid('raw block volumes cannot be published read-only');
      }
      checkPath('target_path', target_path, kubeletRoot);
      if (isInline(volume_context)) {
        const inline = decodeInline(volume_context, use);
        const wanted = { handle: volume_id, target: target_path, kubeletRoot, readonly, use, ...inline };
        await alone(target_path, () => publishEphemeral(pools, ephemeral, wanted));
        return {};
      }
      if (staging_target_path === '') {
        throw new BerthError('FAILED_PRECONDITION', 'staging_target_path is missing; stage the volume first');
      }
      checkPath('staging_target_path', staging_target_path, kubeletRoot);
      const pod = podOf(volume_context);
      const published = { staging: staging_target_path, target: target_path, readonly, use, pod };
      await alone(target_path, () => nodeVolumesOf(volume_id).publish(volume_id, published));
      return {};
    },

    NodeUnpublishVolume: async ({ volume_id, target_path }) => {
      requireFields({ volume_id, target_path });
      checkText('volume_id', volume_id);
      checkPath('target_path', target_path, kubeletRoot);
      const ours = poolOf('volume', volume_id) !== undefined;
      await alone(target_path, async () => {
        const inline = { handle: volume_id, target: target_path, kubeletRoot };
        if (!ours && (await unpublishEphemeral(pools, inline))) return;
        await nodeVolumesOf(volume_id).unpublish(volume_id, target_path);
      });
      return {};
    },

    NodeGetVolumeStats: async ({ volume_id, volume_path }) => {
      requireFields({ volume_id, volume_path });
      checkText('volume_id', volume_id);
      if (pathFault(volume_path, kubeletRoot) !== undefined) {
        throw new BerthError('NOT_FOUND', `volume ${volume_id} is not at that path`);
      }
      const id = ephemeralId(pools, volume_id) ?? volume_id;
      const open = pools.ofVolume(id);
      const found = await open.nodeVolumes.usage(id, volume_path);
      const condition = await volumeCondition(health, open, id, found.placement);
      if (found.kind === 'block') return { usage: [{ unit: 'BYTES', total: found.total.toString() }], ...condition };
      const row = (unit: 'BYTES' | 'INODES', { total, used, available }: Readonly<Record<string, bigint>>): object => ({
        unit,
        total: String(total),
        used: String(used),
        available: String(available),
      });
      return { usage: [row('BYTES', found.usage.bytes), row('INODES', found.usage.inodes)], ...condition };
    },

    NodeExpandVolume: async (request) => {
      const { volume_id, volume_path, capacity_range, volume_capability, secrets } = request;
      requireFields({ volume_id, volume_path });
      checkText('volume_id', volume_id);
      checkMaps({ secrets });
      if (volume_capability !== null) requireUse(volume_capability);
      const range = decodeRange(capacity_range);
      if (pathFault(volume_path, kubeletRoot) !== undefined) {
        throw new BerthError('NOT_FOUND', `volume ${volume_id} is not at that path`);
      }
      const { bytes } = await pools.ofVolume(volume_id).nodeVolumes.grow(volume_id, volume_path, range);
      return { capacity_bytes: bytes.toString() };
    },
  };
}

/** The pod a volume is published for; undefined where the CSIDriver does not have the kubelet say it (podInfoOnMount). */
function podOf(context: Readonly<Record<string, string>>): PublishRequest['pod'] {
  const namespace = context['csi.storage.k8s.io/pod.namespace'] ?? '';
  const name = context['csi.storage.k8s.io/pod.name'] ?? '';
  return namespace === '' || name === '' ? undefined : { namespace, name };
}
