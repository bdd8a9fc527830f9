/** What the kubelet's plugin watcher asks on a socket that it finds: which plugin is there, and how its registration went. */
import type { Handlers } from '../protos/handlers.ts';

/** The kubelet's directory of sockets of plugins to register, below its root. It does not clean it. */
export const pluginRegistryDirectory = 'plugins_registry';

export interface PluginDescription {
  readonly type: 'CSIPlugin' | 'DevicePlugin';
  /** Driver or resource name. */
  readonly name: string;
  /** Path of the plugin's own socket as the kubelet sees it; empty: the socket that is asked. */
  readonly endpoint: string;
  readonly versions: readonly string[];
}

/** Handlers that describe the plugin. `onStatus` hears of each outcome: undefined, or why the kubelet refused. */
export function pluginRegistration(
  { type, name, endpoint, versions }: PluginDescription,
  onStatus: (refusal: string | undefined) => void,
): Handlers<'pluginregistration.Registration'> {
  return {
    GetInfo: () => ({ type, name, endpoint, supported_versions: [...versions] }),
    NotifyRegistrationStatus: ({ plugin_registered: registered, error: reason }) => {
      onStatus(registered ? undefined : `the kubelet refused: ${reason}`);
      return {};
    },
  };
}
