// Original file: protos/csi/v1/csi.proto

import type { Topology as _csi_v1_Topology, Topology__Output as _csi_v1_Topology__Output } from '../../csi/v1/Topology.ts';

/**
 * `requisite`: the volume must be reachable from one of these; `preferred`: in this order if possible.
 */
export interface TopologyRequirement {
  'requisite'?: (_csi_v1_Topology)[];
  'preferred'?: (_csi_v1_Topology)[];
}

/**
 * `requisite`: the volume must be reachable from one of these; `preferred`: in this order if possible.
 */
export interface TopologyRequirement__Output {
  'requisite': (_csi_v1_Topology__Output)[];
  'preferred': (_csi_v1_Topology__Output)[];
}
