/** What the kubelet knows of the plugins: it gives pods nothing of one that is not registered. */
import type { RegistrationView } from '../../../kubelet/registrationview.ts';
import { html } from '../html.ts';
import { code, empty, mark, problems } from '../parts.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

export const registrationsSection: Section = {
  id: 'registrations',
  title: 'Registrations with the kubelet',
  views: ['registrations'],
  render: ([answer]) => {
    if (answer?.known !== true) return undefined;
    const registrations = answer.items as readonly RegistrationView[];
    const missing = problems(answer.problems);
    if (registrations.length === 0)
      return {
        body: html`${missing}${empty(
          html`Nothing is offered to the kubelet: no rule of <code>devices.resources</code> is there, and no
            <code>storage</code>.`,
        )}`,
      };
    const rows = registrations.map(({ kind, name, state, reason }) => [
      code(name),
      kind,
      state === 'registered' ? mark('good', state) : mark('bad', state),
      reason,
    ]);
    const headings = ['Name', 'Kind', 'State', 'Why not'];
    const caption = 'Plugins that are registered with the kubelet';
    return {
      count: registrations.length,
      body: html`${missing}${table({ caption, headings, rows, command: 'berth status' })}`,
    };
  },
};
