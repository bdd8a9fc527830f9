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
  // A plugin that is not configured has no view of the name, which is no failure.
  const of = async (view: string, ...shownBy: readonly Plugin[]): Promise<readonly unknown[]> =>
    shownBy.some((plugin) => configured.includes(plugin)) ? await ask(view) : [];
  // At once: a part that hangs keeps each of them waiting for its time.
  const [told, pools, attachments, routes, devices, registrations, findings, illVolumes] = await Promise.all([
    ask('services'),
    of('pools', 'network', 'storage'),
    of('attachments', 'network'),
    of('routes', 'network'),
    of('devices', 'devices'),
    of('registrations', 'devices', 'storage'),
    ask('doctor'),
    of('illvolumes', 'storage'),
  ]);
  const states = told as readonly ServiceState[];
  const why = failures.length > 0 ? `: ${failures[0]}` : '';
  return {
    services: configured.map(
      (name) =>
        states.find((state) => state.name === name) ?? {
          name,
          reason: `the part of the agent for ${name} does not answer${why}`,
        },
    ),
    pools: pools as readonly (AddressPoolView | StoragePoolView)[],
    attachments: attachments as readonly AttachmentView[],
    routes: routes as readonly RouteView[],
    devices: devices as readonly DeviceView[],
    registrations: registrations as readonly RegistrationView[],
    findings: findings as readonly Finding[],
    illVolumes: illVolumes as readonly IllVolumeView[],
  };
}
