/** Whether each plugin does its work, and why not. */
import type { ServiceState } from '../../health.ts';
import { empty, mark, problems } from '../parts.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import type { Section } from '../section.ts';

/** What each plugin is for, in the order in which a pod meets them. */
const plugins: readonly (readonly [string, string])[] = [
  ['network', 'gives pods their addresses'],
  ['devices', 'gives pods the hardware of this node'],
  ['storage', 'keeps the volumes of claims'],
];

export const servicesSection: Section = {
  id: 'services',
  title: 'Services',
  views: ['services'],
  render: ([services]) => {
    const items = (services?.items ?? []) as readonly ServiceState[];
    const others = items.filter(({ name }) => !plugins.some(([plugin]) => plugin === name));
    const cards = plugins.map(([name, purpose]) =>
      card(
        name,
        purpose,
        items.find((item) => item.name === name),
      ),
    );
    const body = html`<ul class="cards">
        ${cards}${others.map((item) => card(item.name, '', item))}
      </ul>
      ${problems(services?.problems ?? [])}`;
    return { body: items.length === 0 ? html`${body}${empty(html`The agent has not started anything yet.`)}` : body };
  },
};

function card(name: string, purpose: string, service: ServiceState | undefined): Html {
  const head = html`<h3>${name}</h3>`;
  if (service === undefined)
    return html`<li class="card">
      ${head}
      <p>${mark('idle', 'not configured')}</p>
      <p class="note">To use it on this node, add a section <code>${name}</code> to the NodeConfig.</p>
    </li>`;
  return service.reason === undefined
    ? html`<li class="card">
        ${head}
        <p>${mark('good', 'ready')}</p>
        <p class="note">${purpose}</p>
      </li>`
    : html`<li class="card unwell">
        ${head}
        <p>${mark('bad', 'not ready')}</p>
        <p>${service.reason}</p>
      </li>`;
}
