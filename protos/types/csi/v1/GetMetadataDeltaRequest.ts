// Original file: protos/csi/v1/csi.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Runs that differ between two snapshots of one volume, from `starting_offset` on, as a stream.
 */
export interface GetMetadataDeltaRequest {
  'base_snapshot_id'?: (string);
  'target_snapshot_id'?: (string);
  'starting_offset'?: (number | string | Long);
  'max_results'?: (number);
  'secrets'?: ({[key: string]: string});
}

/**
 * Runs that differ between two snapshots of one volume, from `starting_offset` on, as a stream.
 */
export interface GetMetadataDeltaRequest__Output {
  'base_snapshot_id': (string);
  'target_snapshot_id': (string);
  'starting_offset': (string);
  'max_results': (number);
  'secrets': ({[key: string]: string});
}
