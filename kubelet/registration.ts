/** Registering a device plugin with the kubelet: the client of `kubelet.sock`. */
import { dial } from '../protos/dial.ts';

export interface DevicePluginRegistration {
  /** Base name of the plugin's socket in the directory of `kubelet.sock`. */
  readonly endpoint: string;
  readonly resource: string;
}

/** The kubelet's directory of device plugin sockets, and the name of its own there. */
export const devicePluginDirectory = 'device-plugins';
export const kubeletSocket = 'kubelet.sock';

/** The kubelet dials the plugin for up to 10 s before it answers, so the plugin must serve already; a margin on top. */
const timeoutMs = 15_000;

/** Registers with the kubelet behind `socket`. Throws the kubelet's refusal, UNAVAILABLE or TIMED_OUT. */
export async function registerDevicePlugin(
  socket: string,
  registration: DevicePluginRegistration,
  signal: AbortSignal,
): Promise<void> {
  const kubelet = dial('v1beta1.Registration', socket, { timeoutMs });
  try {
    await kubelet.Register(
      { version: 'v1beta1', endpoint: registration.endpoint, resource_name: registration.resource },
      { signal },
    );
  } finally {
    kubelet.close();
  }
}
