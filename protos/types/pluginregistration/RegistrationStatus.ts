// Original file: protos/pluginregistration/v1/pluginregistration.proto


export interface RegistrationStatus {
  'plugin_registered'?: (boolean);
  /**
   * Why not, when plugin_registered is false.
   */
  'error'?: (string);
}

export interface RegistrationStatus__Output {
  'plugin_registered': (boolean);
  /**
   * Why not, when plugin_registered is false.
   */
  'error': (string);
}
