// Original file: protos/pluginregistration/v1/pluginregistration.proto


export interface PluginInfo {
  /**
   * "CSIPlugin", "DevicePlugin" or "DRAPlugin".
   */
  'type'?: (string);
  /**
   * Driver name, or resource name of a device plugin.
   */
  'name'?: (string);
  /**
   * Path of the plugin's own socket as the kubelet sees it; empty: the same socket.
   */
  'endpoint'?: (string);
  /**
   * Versions of the plugin's API that it speaks.
   */
  'supported_versions'?: (string)[];
}

export interface PluginInfo__Output {
  /**
   * "CSIPlugin", "DevicePlugin" or "DRAPlugin".
   */
  'type': (string);
  /**
   * Driver name, or resource name of a device plugin.
   */
  'name': (string);
  /**
   * Path of the plugin's own socket as the kubelet sees it; empty: the same socket.
   */
  'endpoint': (string);
  /**
   * Versions of the plugin's API that it speaks.
   */
  'supported_versions': (string)[];
}
