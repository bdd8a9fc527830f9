// Original file: protos/csi/v1/csi.proto


/**
 * Health of volumes as 1.13 shapes it: several statuses at once, each with a reason and a message.
 */
export interface ControllerListVolumeHealthRequest {
  'max_entries'?: (number);
  'starting_token'?: (string);
  'secrets'?: ({[key: string]: string});
}

/**
 * Health of volumes as 1.13 shapes it: several statuses at once, each with a reason and a message.
 */
export interface ControllerListVolumeHealthRequest__Output {
  'max_entries': (number);
  'starting_token': (string);
  'secrets': ({[key: string]: string});
}
