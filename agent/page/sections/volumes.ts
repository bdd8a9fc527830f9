/** Every volume: whose it is, where it is used, and how it is. */
import type { VolumeView } from '../../../csi/views.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { bytes, code, empty, lines, mark, problems } from '../parts.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

export const volumesSection: Section = {
  id: 'volumes',
  title: 'Volumes',
  views: ['volumes'],
  render: ([answer]) => {
    if (answer?.known !== true) return undefined;
    const volumes = answer.items as readonly VolumeView[];
    const missing = problems(answer.problems);
    if (volumes.length === 0)
      return {
        body: html`${missing}${empty(
          html`There is no volume on this node. One is made when a pod that uses a claim of a storage class of Berth is
          placed here.`,
        )}`,
      };
    const rows = volumes.map((volume) => [
      html`${code(volume.claim === '' ? volume.id : volume.claim)}<span class="note block">${volume.id}</span>`,
      html`${bytes(volume.size)} <span class="note">${volume.type}, ${volume.provisioning}</span>`,
      volume.used === null ? '' : bytes(volume.used),
      code(volume.pool),
      stateOf(volume),
      lines([...new Set(volume.published.map(({ pod }) => pod))].map((pod) => code(pod === '' ? 'elsewhere' : pod))),
    ]);
    const headings = ['Claim', 'Size', 'Used', 'Pool', 'State', 'Pods'];
    const caption = 'Volumes of this node';
    return {
      count: volumes.length,
      body: html`${missing}${table({ caption, headings, rows, command: 'berth get volumes' })}`,
    };
  },
};

function stateOf({ state, staged, published, reasons }: VolumeView): Html {
  const where = published.length > 0 ? 'in use' : staged === '' ? 'not in use' : 'mounted';
  const text = state === 'ready' ? where : state;
  if (reasons === null || reasons.length === 0)
    return reasons === null ? mark('idle', `${text}, not looked at yet`) : mark('good', text);
  return html`${mark('bad', text)}<span class="block">${reasons.join(', ')}</span>`;
}
