// Original file: protos/csi/v1/csi.proto


/**
 * The health of a volume in its older shape (up to 1.12): one flag and one sentence.
 */
export interface VolumeCondition {
  'abnormal'?: (boolean);
  'message'?: (string);
}

/**
 * The health of a volume in its older shape (up to 1.12): one flag and one sentence.
 */
export interface VolumeCondition__Output {
  'abnormal': (boolean);
  'message': (string);
}
