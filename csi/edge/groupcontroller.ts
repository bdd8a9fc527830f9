/** The CSI GroupController service: snapshots of several volumes at one moment. csi-snapshotter calls it. */
import type { Handlers } from '../../protos/handlers.ts';
import type { GroupWithMembers } from '../groups.ts';
import type { Pools } from '../pools.ts';
import { checkMaps, checkText, invalid, requireFields } from './fields.ts';
import { decodeSnapshotParameters } from './parameters.ts';
import { describeSnapshot, timestampOf } from './snapshots.ts';

/** What one node can hold still together without pods noticing for long. */
const mostMembers = 64;

function describe({ group, members }: GroupWithMembers): object {
  return {
    group_snapshot_id: group.id,
    snapshots: members.map(describeSnapshot),
    creation_time: timestampOf(group.createdAt),
    ready_to_use: true,
  };
}

export function groupControllerHandlers(pools: Pools): Handlers<'csi.v1.GroupController'> {
  return {
    GroupControllerGetCapabilities: () => ({
      capabilities: [{ rpc: { type: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT' } }],
    }),

    CreateVolumeGroupSnapshot: async ({ name, source_volume_ids: sourceIds, parameters, secrets }) => {
      requireFields({ name, source_volume_ids: sourceIds });
      checkText('name', name);
      for (const id of sourceIds) checkText('source_volume_ids', id);
      checkMaps({ parameters, secrets });
      if (sourceIds.length > mostMembers)
        throw invalid(`source_volume_ids has ${sourceIds.length} entries; ${mostMembers} are allowed`);
      if (new Set(sourceIds).size < sourceIds.length) throw invalid('source_volume_ids names a volume twice');
      const { reserved } = decodeSnapshotParameters(parameters);
      return { group_snapshot: describe(await pools.createGroup({ name, sourceIds, reserved })) };
    },

    DeleteVolumeGroupSnapshot: async ({ group_snapshot_id: id, snapshot_ids: members, secrets }) => {
      requireFields({ group_snapshot_id: id });
      checkText('group_snapshot_id', id);
      checkMaps({ secrets });
      await pools.deleteGroup(id, members);
      return {};
    },

    GetVolumeGroupSnapshot: ({ group_snapshot_id: id, snapshot_ids: members, secrets }) => {
      requireFields({ group_snapshot_id: id });
      checkText('group_snapshot_id', id);
      checkMaps({ secrets });
      return { group_snapshot: describe(pools.getGroup(id, members)) };
    },
  };
}
