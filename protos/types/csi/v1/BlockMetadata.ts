// Original file: protos/csi/v1/csi.proto

import type { Long } from '@grpc/proto-loader';

/**
 * A run of bytes in the volume.
 */
export interface BlockMetadata {
  'byte_offset'?: (number | string | Long);
  'size_bytes'?: (number | string | Long);
}

/**
 * A run of bytes in the volume.
 */
export interface BlockMetadata__Output {
  'byte_offset': (string);
  'size_bytes': (string);
}
