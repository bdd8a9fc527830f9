// Original file: protos/deviceplugin/v1beta1/deviceplugin.proto

import type { Device as _v1beta1_Device, Device__Output as _v1beta1_Device__Output } from '../v1beta1/Device.ts';

/**
 * The complete set of devices; what is not in it vanishes. At most 4 MiB encoded.
 */
export interface ListAndWatchResponse {
  'devices'?: (_v1beta1_Device)[];
}

/**
 * The complete set of devices; what is not in it vanishes. At most 4 MiB encoded.
 */
export interface ListAndWatchResponse__Output {
  'devices': (_v1beta1_Device__Output)[];
}
