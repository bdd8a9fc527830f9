// Original file: protos/csi/v1/csi.proto


/**
 * Key and value pairs that become Node labels.
 */
export interface Topology {
  'segments'?: ({[key: string]: string});
}

/**
 * Key and value pairs that become Node labels.
 */
export interface Topology__Output {
  'segments': ({[key: string]: string});
}
