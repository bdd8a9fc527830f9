/** The CSI SnapshotMetadata service: which bytes a snapshot has, and which differ between two. Backup programs read it. */
import { BerthError } from '../../kit/errors.ts';
import type { Handlers, ServerStream } from '../../protos/handlers.ts';
import type { GetMetadataAllocatedResponse } from '../../protos/types/csi/v1/GetMetadataAllocatedResponse.ts';
import { allocatedRuns, changedRuns } from '../changedblocks.ts';
import type { Run } from '../changedblocks.ts';
import type { Pools } from '../pools.ts';
import type { SnapshotRecord } from '../snapshot.ts';
import { checkMaps, checkText, invalid, requireFields } from './fields.ts';

/** Some 24 bytes each: far below the 4 MiB a client takes. */
const mostRuns = 10_000;

interface Window {
  readonly starting_offset: string;
  readonly max_results: number;
}

/** Throws OUT_OF_RANGE for an offset behind the end. */
function checkWindow({ starting_offset, max_results }: Window, snapshot: SnapshotRecord): bigint {
  const offset = BigInt(starting_offset);
  if (max_results < 0) throw invalid('max_results is negative');
  if (offset < 0n || offset >= snapshot.bytes)
    throw new BerthError('OUT_OF_RANGE', `starting_offset ${offset} is not within the ${snapshot.bytes} bytes`);
  return offset;
}

async function send(
  runs: readonly Run[],
  snapshot: SnapshotRecord,
  max: number,
  stream: ServerStream<GetMetadataAllocatedResponse>,
): Promise<void> {
  const size = max === 0 ? mostRuns : Math.min(max, mostRuns);
  // One message also for nothing: the reader learns the size.
  for (let from = 0; from === 0 || from < runs.length; from += size) {
    await stream.send({
      block_metadata_type: 'VARIABLE_LENGTH',
      volume_capacity_bytes: snapshot.bytes.toString(),
      block_metadata: runs
        .slice(from, from + size)
        .map(({ offset, length }) => ({ byte_offset: offset.toString(), size_bytes: length.toString() })),
    });
  }
}

export function snapshotMetadataHandlers(pools: Pools): Handlers<'csi.v1.SnapshotMetadata'> {
  return {
    GetMetadataAllocated: async (request, stream) => {
      const { snapshot_id: id, secrets } = request;
      requireFields({ snapshot_id: id });
      checkText('snapshot_id', id);
      checkMaps({ secrets });
      const { open, snapshot } = pools.ofSnapshot(id);
      const from = checkWindow(request, snapshot);
      await send(allocatedRuns(await open.parts.engine.extents(snapshot), from), snapshot, request.max_results, stream);
    },

    GetMetadataDelta: async (request, stream) => {
      const { base_snapshot_id: baseId, target_snapshot_id: targetId, secrets } = request;
      requireFields({ base_snapshot_id: baseId, target_snapshot_id: targetId });
      checkText('base_snapshot_id', baseId);
      checkText('target_snapshot_id', targetId);
      checkMaps({ secrets });
      const base = pools.ofSnapshot(baseId);
      const { open, snapshot: target } = pools.ofSnapshot(targetId);
      const from = checkWindow(request, target);
      if (base.snapshot.sourceId !== target.sourceId)
        throw invalid(`the snapshots are of two volumes, ${base.snapshot.sourceId} and ${target.sourceId}`);
      if (open.parts.engine.offers.copies !== 'shared')
        throw new BerthError(
          'FAILED_PRECONDITION',
          `pool "${open.pool.name}" copies snapshots in full and cannot tell what differs`,
        );
      const [before, after] = [await open.parts.engine.extents(base.snapshot), await open.parts.engine.extents(target)];
      await send(changedRuns(before, after, from), target, request.max_results, stream);
    },
  };
}
