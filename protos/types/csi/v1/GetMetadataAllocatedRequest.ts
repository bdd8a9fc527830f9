// Original file: protos/csi/v1/csi.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Runs that hold data, from `starting_offset` on, as a stream.
 */
export interface GetMetadataAllocatedRequest {
  'snapshot_id'?: (string);
  'starting_offset'?: (number | string | Long);
  'max_results'?: (number);
  'secrets'?: ({[key: string]: string});
}

/**
 * Runs that hold data, from `starting_offset` on, as a stream.
 */
export interface GetMetadataAllocatedRequest__Output {
  'snapshot_id': (string);
  'starting_offset': (string);
  'max_results': (number);
  'secrets': ({[key: string]: string});
}
