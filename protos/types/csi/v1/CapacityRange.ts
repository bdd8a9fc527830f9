// Original file: protos/csi/v1/csi.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Bytes; zero means not set.
 */
export interface CapacityRange {
  'required_bytes'?: (number | string | Long);
  'limit_bytes'?: (number | string | Long);
}

/**
 * Bytes; zero means not set.
 */
export interface CapacityRange__Output {
  'required_bytes': (string);
  'limit_bytes': (string);
}
