/** The snapshot calls of the CSI Controller service: decode, validate, hand over. csi-snapshotter calls them. */
import type { Handlers } from '../../protos/handlers.ts';
import type { Pools } from '../pools.ts';
import type { SnapshotRecord } from '../snapshot.ts';
import { checkMaps, checkText, requireFields } from './fields.ts';
import { pageOf } from './paging.ts';
import { decodeSnapshotParameters } from './parameters.ts';

type SnapshotCalls = Pick<
  Handlers<'csi.v1.Controller'>,
  'CreateSnapshot' | 'DeleteSnapshot' | 'ListSnapshots' | 'GetSnapshot'
>;

/** google.protobuf.Timestamp. */
export function timestampOf(iso: string): { readonly seconds: string; readonly nanos: number } {
  const milliseconds = Date.parse(iso);
  return { seconds: String(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 };
}

export function describeSnapshot({ id, bytes, sourceId, groupId, createdAt }: SnapshotRecord): object {
  return {
    snapshot_id: id,
    source_volume_id: sourceId,
    size_bytes: bytes.toString(),
    creation_time: timestampOf(createdAt),
    ready_to_use: true,
    group_snapshot_id: groupId ?? '',
  };
}

export function snapshotHandlers(pools: Pools): SnapshotCalls {
  return {
    CreateSnapshot: async ({ name, source_volume_id: sourceId, parameters, secrets }) => {
      requireFields({ name, source_volume_id: sourceId });
      checkText('name', name);
      checkText('source_volume_id', sourceId);
      checkMaps({ parameters, secrets });
      const { reserved } = decodeSnapshotParameters(parameters);
      return { snapshot: describeSnapshot(await pools.createSnapshot({ name, sourceId, reserved })) };
    },

    DeleteSnapshot: async ({ snapshot_id: id, secrets }) => {
      requireFields({ snapshot_id: id });
      checkText('snapshot_id', id);
      checkMaps({ secrets });
      await pools.deleteSnapshot(id);
      return {};
    },

    ListSnapshots: ({ max_entries, starting_token, source_volume_id: sourceId, snapshot_id: id, secrets }) => {
      checkMaps({ secrets });
      const wanted = pools
        .snapshots()
        .filter((snapshot) => (sourceId === '' || snapshot.sourceId === sourceId) && (id === '' || snapshot.id === id));
      const { entries, next_token } = pageOf(wanted, { kind: 'snapshot', max: max_entries, token: starting_token });
      return { entries: entries.map((snapshot) => ({ snapshot: describeSnapshot(snapshot) })), next_token };
    },

    GetSnapshot: ({ snapshot_id: id, secrets }) => {
      requireFields({ snapshot_id: id });
      checkText('snapshot_id', id);
      checkMaps({ secrets });
      return { snapshot: describeSnapshot(pools.ofSnapshot(id).snapshot) };
    },
  };
}
