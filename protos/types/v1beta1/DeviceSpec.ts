// Original file: protos/deviceplugin/v1beta1/deviceplugin.proto


export interface DeviceSpec {
  'container_path'?: (string);
  /**
   * A path of the host, resolved by the runtime when it creates the container.
   */
  'host_path'?: (string);
  /**
   * Any of r (read), w (write), m (mknod).
   */
  'permissions'?: (string);
}

export interface DeviceSpec__Output {
  'container_path': (string);
  /**
   * A path of the host, resolved by the runtime when it creates the container.
   */
  'host_path': (string);
  /**
   * Any of r (read), w (write), m (mknod).
   */
  'permissions': (string);
}
