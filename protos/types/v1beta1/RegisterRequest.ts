// Original file: protos/deviceplugin/v1beta1/deviceplugin.proto

import type { DevicePluginOptions as _v1beta1_DevicePluginOptions, DevicePluginOptions__Output as _v1beta1_DevicePluginOptions__Output } from '../v1beta1/DevicePluginOptions.ts';

export interface RegisterRequest {
  /**
   * "v1beta1".
   */
  'version'?: (string);
  /**
   * Base name of the plugin's socket in the directory of kubelet.sock.
   */
  'endpoint'?: (string);
  /**
   * Qualified extended resource name, as in a pod's limits.
   */
  'resource_name'?: (string);
  /**
   * Not used by the kubelet, which asks GetDevicePluginOptions instead.
   */
  'options'?: (_v1beta1_DevicePluginOptions | null);
}

export interface RegisterRequest__Output {
  /**
   * "v1beta1".
   */
  'version': (string);
  /**
   * Base name of the plugin's socket in the directory of kubelet.sock.
   */
  'endpoint': (string);
  /**
   * Qualified extended resource name, as in a pod's limits.
   */
  'resource_name': (string);
  /**
   * Not used by the kubelet, which asks GetDevicePluginOptions instead.
   */
  'options': (_v1beta1_DevicePluginOptions__Output | null);
}
