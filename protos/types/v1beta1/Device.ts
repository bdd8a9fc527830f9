// Original file: protos/deviceplugin/v1beta1/deviceplugin.proto

import type { TopologyInfo as _v1beta1_TopologyInfo, TopologyInfo__Output as _v1beta1_TopologyInfo__Output } from '../v1beta1/TopologyInfo.ts';

export interface Device {
  /**
   * Unique within the resource, at most 63 characters.
   */
  'ID'?: (string);
  /**
   * "Healthy"; anything else counts as not healthy.
   */
  'health'?: (string);
  'topology'?: (_v1beta1_TopologyInfo | null);
}

export interface Device__Output {
  /**
   * Unique within the resource, at most 63 characters.
   */
  'ID': (string);
  /**
   * "Healthy"; anything else counts as not healthy.
   */
  'health': (string);
  'topology': (_v1beta1_TopologyInfo__Output | null);
}
