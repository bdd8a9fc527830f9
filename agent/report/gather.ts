/** Asks the parts of the agent for what a BerthNode says, over their sockets: a part that died is seen by its silence. */
import type { AddressPoolView, AttachmentView, RouteView } from '../../cni/views.ts';
import type { IllVolumeView, StoragePoolView } from '../../csi/views.ts';
import type { DeviceView } from '../../deviceplugin/views.ts';
import { messageOf } from '../../kit/errors.ts';
import type { RegistrationView } from '../../kubelet/registrationview.ts';
import { askAgent } from '../commands/ask.ts';
import type { Finding } from '../doctor/finding.ts';
import type { ServiceState } from '../health.ts';
import type { Plugin } from '../part.ts';
import type { NodeViews } from './nodestatus.ts';

/** What the agent as a whole shows; `socket` is `agent.socket`, `configured` the plugins that should serve. Never throws. */
export async function gatherViews(socket: string, configured: readonly Plugin[]): Promise<NodeViews> {
  const failures: string[] = [];
  const ask = async (view: string): Promise<readonly unknown[]> =>
    await askAgent(socket, view, '', () => undefined).catch((error: unknown) => {
      failures.push(messageOf(error));
      return [];
    });
  const told = (await ask('services')) as readonly ServiceState[];
  const services = configured.map(
    (name): ServiceState =>
      told.find((state) => state.name === name) ?? {
        name,
        reason: `the part of the agent for ${name} does not answer${failures.length > 0 ? `: ${failures[0]}` : ''}`,
      },
  );
  // A plugin that is not configured has no view of the name, which is no failure.
  const of = async (plugin: Plugin, view: string): Promise<readonly unknown[]> =>
    configured.includes(plugin) ? await ask(view) : [];
  const pools = configured.includes('network') || configured.includes('storage') ? await ask('pools') : [];
  const registers = configured.includes('devices') || configured.includes('storage');
  return {
    services,
    pools: pools as readonly (AddressPoolView | StoragePoolView)[],
    attachments: (await of('network', 'attachments')) as readonly AttachmentView[],
    routes: (await of('network', 'routes')) as readonly RouteView[],
    devices: (await of('devices', 'devices')) as readonly DeviceView[],
    registrations: (registers ? await ask('registrations') : []) as readonly RegistrationView[],
    findings: (await ask('doctor')) as readonly Finding[],
    illVolumes: (await of('storage', 'illvolumes')) as readonly IllVolumeView[],
  };
}
