/** The network of pods: each interface with its addresses, and the ways to the pods of other nodes. */
import type { AttachmentView, RouteView } from '../../../cni/views.ts';
import { rateText } from '../../commands/tables.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { code, empty, lines, mark, problems, timeText } from '../parts.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

export const attachmentsSection: Section = {
  id: 'attachments',
  title: 'Attachments',
  views: ['attachments'],
  render: ([answer]) => {
    if (answer?.known !== true) return undefined;
    const attachments = answer.items as readonly AttachmentView[];
    const missing = problems(answer.problems);
    if (attachments.length === 0)
      return {
        body: html`${missing}${empty(
          html`No pod is attached to the network of Berth. Pods in the network of the node (<code
              >hostNetwork: true</code
            >) need none; any other appears here when it starts.`,
        )}`,
      };
    const rows = attachments.map((item) => [
      html`${code(item.pod === '' ? item.containerID.slice(0, 13) : `${item.namespace}/${item.pod}`)}`,
      code(item.interface),
      lines(item.addresses.map(code)),
      lines([...item.ports.map(code), ...limitsOf(item)]),
      html`${code(item.link)} <span class="note">MTU ${item.mtu}</span>`,
      html`${item.state === 'active' ? timeText(item.since) : mark('warn', item.state)}`,
    ]);
    const headings = ['Pod', 'Interface', 'Addresses', 'Ports and limits', 'Link on the node', 'Since (UTC)'];
    const caption = 'Interfaces of pods';
    return {
      count: attachments.length,
      body: html`${missing}${table({ caption, headings, rows, command: 'berth get attachments -o wide' })}`,
    };
  },
};

function limitsOf({ ingressRate, egressRate }: AttachmentView): readonly Html[] {
  const limit = (way: string, bits: number): readonly Html[] =>
    bits === 0 ? [] : [html`<span class="note">at most ${rateText(bits)}bit/s ${way}</span>`];
  return [...limit('in', ingressRate), ...limit('out', egressRate)];
}

export const routesSection: Section = {
  id: 'routes',
  title: 'Routes to other nodes',
  views: ['routes'],
  render: ([answer]) => {
    if (answer?.known !== true) return undefined;
    const routes = answer.items as readonly RouteView[];
    const missing = problems(answer.problems);
    if (routes.length === 0)
      return {
        body: html`${missing}${empty(html`No other node is known, so this node has routes to its own pods only.`)}`,
      };
    const rows = routes.map(({ node, range, way, via, reason }) => [
      code(node),
      code(range),
      way === 'none' ? html`${mark('bad', 'no way')}<span class="block">${reason}</span>` : mark('good', way),
      code(via),
    ]);
    const headings = ['Node', 'Pods', 'Way', 'Via'];
    const caption = 'Ways to the pods of other nodes';
    return {
      count: routes.length,
      body: html`${missing}${table({ caption, headings, rows, command: 'berth get routes' })}`,
    };
  },
};
