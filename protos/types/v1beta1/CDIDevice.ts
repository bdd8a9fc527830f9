// Original file: protos/deviceplugin/v1beta1/deviceplugin.proto


export interface CDIDevice {
  /**
   * Fully qualified: vendor.example/class=device.
   */
  'name'?: (string);
}

export interface CDIDevice__Output {
  /**
   * Fully qualified: vendor.example/class=device.
   */
  'name': (string);
}
