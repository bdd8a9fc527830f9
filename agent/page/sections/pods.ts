/** What each pod has of this node: addresses, devices, volumes. */
import type { AttachmentView } from '../../../cni/views.ts';
import type { VolumeView } from '../../../csi/views.ts';
import type { DeviceView } from '../../../deviceplugin/views.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { bytes, code, empty, lines, problems } from '../parts.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

/** What one pod has. */
export interface PodUse {
  /** `namespace/name`; the UID where nobody told the name. */
  readonly pod: string;
  readonly attachments: readonly AttachmentView[];
  readonly devices: readonly (Pick<DeviceView, 'resource' | 'id'> & { readonly container: string })[];
  readonly volumes: readonly VolumeView[];
}

export const podsSection: Section = {
  id: 'pods',
  title: 'Pods',
  views: ['attachments', 'devices', 'volumes'],
  render: (answers) => {
    const [attachments = [], devices = [], volumes = []] = answers.map(({ items }) => items);
    const pods = podUses(
      attachments as readonly AttachmentView[],
      devices as readonly DeviceView[],
      volumes as readonly VolumeView[],
    );
    const missing = problems(answers.flatMap((answer) => answer.problems));
    if (pods.length === 0)
      return {
        body: html`${missing}${empty(
          html`No pod on this node has anything from Berth yet. A pod gets an address when it starts, a device when a
            container asks for one (<code>limits: {berth.dev/fuse: 1}</code>), and a volume through a claim of a storage
            class of Berth.`,
        )}`,
      };
    const rows = pods.map((pod) => [
      code(pod.pod),
      lines(pod.attachments.flatMap(({ addresses }) => addresses.map(code))),
      lines(
        pod.devices.map(({ resource, id, container }) => html`${code(resource)} ${code(id)}${inContainer(container)}`),
      ),
      lines(pod.volumes.map(volumeText)),
    ]);
    const headings = ['Pod', 'Addresses', 'Devices', 'Volumes'];
    const caption = 'What each pod has of this node';
    return {
      count: pods.length,
      body: html`${missing}${table({ caption, headings, rows, command: 'berth get attachments' })}`,
    };
  },
};

/** By name. An attachment of a container without a pod is nobody's here. */
export function podUses(
  attachments: readonly AttachmentView[],
  devices: readonly DeviceView[],
  volumes: readonly VolumeView[],
): readonly PodUse[] {
  const names = new Set<string>();
  const named = <T>(pairs: readonly (readonly [string, T])[]): ReadonlyMap<string, T[]> => {
    const byPod = new Map<string, T[]>();
    for (const [pod, item] of pairs) {
      if (pod === '' || pod === '/') continue;
      names.add(pod);
      const before = byPod.get(pod);
      if (before === undefined) byPod.set(pod, [item]);
      else before.push(item);
    }
    return byPod;
  };
  const ofAttachments = named(attachments.map((each) => [`${each.namespace}/${each.pod}`, each]));
  const ofDevices = named(
    devices.flatMap(({ resource, id, holders }) =>
      holders.map(({ namespace, pod, container }) => [`${namespace}/${pod}`, { resource, id, container }] as const),
    ),
  );
  // Where nobody told the name the folder of the pod tells its UID.
  const byUID = new Map(attachments.map(({ podUID, namespace, pod }) => [podUID, `${namespace}/${pod}`]));
  // A pod may have one volume at several paths.
  const ofVolumes = named(
    volumes.flatMap((volume) =>
      [...new Set(volume.published.map(({ pod }) => (pod === '' ? '' : (byUID.get(pod) ?? pod))))].map(
        (pod) => [pod, volume] as const,
      ),
    ),
  );
  return [...names].sort().map((pod) => ({
    pod,
    attachments: ofAttachments.get(pod) ?? [],
    devices: ofDevices.get(pod) ?? [],
    volumes: ofVolumes.get(pod) ?? [],
  }));
}

function inContainer(container: string): Html {
  return html` <span class="note">in ${container}</span>`;
}

function volumeText({ claim, id, size, type }: VolumeView): Html {
  return html`${code(claim === '' ? id : claim)} <span class="note">${bytes(size)} ${type}</span>`;
}
