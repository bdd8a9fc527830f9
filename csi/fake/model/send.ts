/** Sends a call of the model to a node over its socket. */
import type { VolumeCapability } from '../../../protos/types/csi/v1/VolumeCapability.ts';
import type { AccessMode } from '../../volume.ts';
import { blockCapability, mountCapability } from '../testnode.ts';
import type { TestNode } from '../testnode.ts';
import type { ModelType } from './model.ts';
import type { Answer, Call } from './operation.ts';

function capabilityOf(type: ModelType, flags: readonly string[], mode: AccessMode): VolumeCapability {
  return type === 'block' ? blockCapability(mode) : mountCapability({ fs_type: type, mount_flags: [...flags] }, mode);
}

export const stagingOf = (node: TestNode, volume: number): Promise<string> => node.stagingPath(`v${volume}`);
export const targetOf = (node: TestNode, target: number): Promise<string> => node.targetPath(`pod-${target}`);

/** `type`: what the volume of the call is. Rejects with what the node refuses. */
export async function send(call: Call, type: ModelType, host: TestNode): Promise<Answer> {
  switch (call.kind) {
    case 'create':
      return await create(call, host);
    case 'expand': {
      const capacity_range = { required_bytes: String(call.bytes) };
      const grown = await host.controller.ControllerExpandVolume({ volume_id: call.id, capacity_range });
      return { code: 'OK', bytes: BigInt(grown.capacity_bytes) };
    }
    case 'delete':
      await host.controller.DeleteVolume({ volume_id: call.id });
      return { code: 'OK' };
    case 'snapshot': {
      const [source_volume_id = ''] = call.sources;
      const { snapshot } = await host.controller.CreateSnapshot({
        name: `snapshot-${call.snapshot}`,
        source_volume_id,
      });
      return { code: 'OK', id: snapshot?.snapshot_id ?? '' };
    }
    case 'unsnapshot':
      await host.controller.DeleteSnapshot({ snapshot_id: call.id });
      return { code: 'OK' };
    case 'group': {
      const request = { name: `group-${call.group}`, source_volume_ids: [...call.sources] };
      const { group_snapshot: group } = await host.groups.CreateVolumeGroupSnapshot(request);
      const members = group?.snapshots.map(({ snapshot_id: id, source_volume_id: source }) => ({ id, source })) ?? [];
      return { code: 'OK', id: group?.group_snapshot_id ?? '', members };
    }
    case 'ungroup':
      await host.groups.DeleteVolumeGroupSnapshot({ group_snapshot_id: call.id });
      return { code: 'OK' };
    default:
      await use(call, type, host);
      return { code: 'OK' };
  }
}

async function create(
  { volume: number, bytes, type, source, sources }: Call & { kind: 'create' },
  host: TestNode,
): Promise<Answer> {
  const exactly = String(bytes);
  const [id = ''] = sources;
  const from = source?.kind === 'snapshot' ? { snapshot: { snapshot_id: id } } : { volume: { volume_id: id } };
  const { volume } = await host.controller.CreateVolume({
    name: `pvc-${number}`,
    capacity_range: { required_bytes: exactly, limit_bytes: exactly },
    volume_capabilities: [capabilityOf(type, [], 'SINGLE_NODE_WRITER')],
    ...(source === undefined ? {} : { volume_content_source: from }),
  });
  return { code: 'OK', id: volume?.volume_id ?? '' };
}

async function use(call: Call, type: ModelType, host: TestNode): Promise<void> {
  const { id: volume_id } = call;
  const staging_target_path = 'volume' in call ? await stagingOf(host, call.volume) : '';
  switch (call.kind) {
    case 'stage': {
      const volume_capability = capabilityOf(type, call.flags, 'SINGLE_NODE_MULTI_WRITER');
      await host.node.NodeStageVolume({ volume_id, staging_target_path, volume_capability });
      return;
    }
    case 'unstage':
      await host.node.NodeUnstageVolume({ volume_id, staging_target_path });
      return;
    case 'publish': {
      const { readonly } = call;
      const target_path = await targetOf(host, call.target);
      const volume_capability = capabilityOf(type, [], call.mode);
      await host.node.NodePublishVolume({ volume_id, staging_target_path, target_path, volume_capability, readonly });
      return;
    }
    case 'unpublish':
      await host.node.NodeUnpublishVolume({ volume_id, target_path: await targetOf(host, call.target) });
      return;
    case 'stats':
      await host.node.NodeGetVolumeStats({ volume_id, volume_path: await targetOf(host, call.target) });
      return;
    default:
      throw new RangeError(`${call.kind} is no use of a volume`);
  }
}
