/** The CSI Identity service: name, version, what the plugin can do, and whether it works now. */
import { BerthError } from '../../kit/errors.ts';
import type { Handlers } from '../../protos/handlers.ts';

export interface IdentityParts {
  readonly driverName: string;
  readonly version: string;
  /** The reason the plugin cannot do its work, or undefined. */
  readonly fault: () => Promise<string | undefined>;
}

export function identityHandlers({ driverName, version, fault }: IdentityParts): Handlers<'csi.v1.Identity'> {
  return {
    GetPluginInfo: () => ({ name: driverName, vendor_version: version }),
    GetPluginCapabilities: () => ({
      capabilities: [
        { service: { type: 'CONTROLLER_SERVICE' } },
        { service: { type: 'VOLUME_ACCESSIBILITY_CONSTRAINTS' } },
        { service: { type: 'GROUP_CONTROLLER_SERVICE' } },
        { service: { type: 'SNAPSHOT_METADATA_SERVICE' } },
        { volume_expansion: { type: 'ONLINE' } },
      ],
    }),
    Probe: async () => {
      const reason = await fault();
      if (reason !== undefined) throw new BerthError('FAILED_PRECONDITION', reason);
      return { ready: { value: true } };
    },
  };
}
