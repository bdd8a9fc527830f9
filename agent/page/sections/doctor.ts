/** What the doctor finds; the section is there when the agent has a view `doctor`. */
import { html, nothing } from '../html.ts';
import type { Html } from '../html.ts';
import { code, empty, mark, problems } from '../parts.ts';
import type { Section } from '../section.ts';

/** Of an item of that view what is shown. */
interface Finding {
  readonly id: string;
  readonly title: string;
  readonly severity: 'pass' | 'warning' | 'failure' | 'unknown';
  readonly message: string;
  /** What was read, and where. */
  readonly evidence: readonly { readonly what: string; readonly from: string }[];
  readonly fix?: string;
}

const signs = { pass: 'good', warning: 'warn', failure: 'bad', unknown: 'idle' } as const;
/** The worst first. */
const order: readonly Finding['severity'][] = ['failure', 'warning', 'unknown'];

export const doctorSection: Section = {
  id: 'doctor',
  title: 'Doctor',
  views: ['doctor'],
  render: ([answer]) => {
    if (answer?.known !== true) return undefined;
    const findings = answer.items as readonly Finding[];
    const bad = order.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
    const well = findings.length - bad.length;
    const summary = html`<p class="note">${well} of ${findings.length} looks found nothing wrong.</p>`;
    const list =
      bad.length === 0
        ? empty(html`Nothing is wrong with this node.`)
        : html`<ul class="findings">
            ${bad.map(item)}
          </ul>`;
    return { count: bad.length, body: html`${problems(answer.problems)}${list}${summary}` };
  },
};

function item({ id, title, severity, message, evidence, fix = '' }: Finding): Html {
  return html`<li>
    ${mark(signs[severity], title)} ${code(id)}<span class="block">${message}</span>
    ${evidence.map(({ what, from }) => html`<span class="note block">${what} (${from})</span>`)}
    ${fix === '' ? nothing : html`<span class="block">To mend it: <code class="command">${fix}</code></span>`}
  </li>`;
}
