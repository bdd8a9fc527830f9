/** Every device that pods can have: who has it, how it is, and near which processors it is. */
import type { DeviceView } from '../../../deviceplugin/views.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { code, empty, lines, mark, problems } from '../parts.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

export const devicesSection: Section = {
  id: 'devices',
  title: 'Devices',
  views: ['devices'],
  render: ([answer]) => {
    if (answer?.known !== true) return undefined;
    const devices = answer.items as readonly DeviceView[];
    const missing = problems(answer.problems);
    if (devices.length === 0)
      return {
        body: html`${missing}${empty(
          html`No device of this node fits a rule. <code>berth get inventory</code> shows what there is, and
            <code>berth explain /dev/ttyUSB0</code> tells why a device is not part of a resource.`,
        )}`,
      };
    const rows = devices.map((device) => [
      code(device.resource),
      html`${code(device.id)}${nodesOf(device)}`,
      healthOf(device),
      device.numaNode === null ? '' : String(device.numaNode),
      holdersOf(device),
    ]);
    const headings = ['Resource', 'Device', 'Health', 'NUMA', 'Held by'];
    const caption = 'Devices that pods can have';
    return {
      count: devices.length,
      body: html`${missing}${table({ caption, headings, rows, command: 'berth get devices -o wide' })}`,
    };
  },
};

function nodesOf({ nodes }: DeviceView): Html {
  return html`<span class="note block">${nodes.join(', ')}</span>`;
}

function healthOf({ health, reason }: DeviceView): Html {
  if (health === 'Healthy') return mark('good', 'healthy');
  return html`${mark('bad', 'unhealthy')}<span class="block">${reason}</span>`;
}

function holdersOf({ holders, replicas }: DeviceView): Html {
  const shared = replicas === 1 ? [] : [html`<span class="note">${holders.length} of ${replicas} shares used</span>`];
  if (holders.length === 0) return replicas === 1 ? html`<span class="note">nobody</span>` : lines(shared);
  const who = holders.map(
    ({ namespace, pod, container }) => html`${code(`${namespace}/${pod}`)} <span class="note">in ${container}</span>`,
  );
  return lines([...who, ...shared]);
}
