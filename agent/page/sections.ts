/** The sections of the page, from top to bottom, and how a moment of the node becomes the parts that change. */
import { messageOf } from '../../kit/errors.ts';
import type { ServiceState } from '../health.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { mark, problems } from './parts.ts';
import type { Section, SectionContent } from './section.ts';
import { callsSection } from './sections/calls.ts';
import { devicesSection } from './sections/devices.ts';
import { doctorSection } from './sections/doctor.ts';
import { attachmentsSection, routesSection } from './sections/network.ts';
import { podsSection } from './sections/pods.ts';
import { poolsSection } from './sections/pools.ts';
import { registrationsSection } from './sections/registrations.ts';
import { servicesSection } from './sections/services.ts';
import { volumesSection } from './sections/volumes.ts';
import type { Answer, Views } from './views.ts';

const sections: readonly Section[] = [
  servicesSection,
  doctorSection,
  podsSection,
  devicesSection,
  poolsSection,
  volumesSection,
  attachmentsSection,
  routesSection,
  registrationsSection,
  callsSection,
];

/** What stands in the element with this ID. */
export interface Fragment {
  readonly id: string;
  /** As the element is to have it within. */
  readonly html: string;
  /** The node has nothing of the kind. */
  readonly hidden: boolean;
}

const names = [...new Set(sections.flatMap(({ views }) => views))];

/** Asks once for all, and renders: the verdict, the contents, and each section. Never rejects. */
export async function takeFragments(views: Views): Promise<readonly Fragment[]> {
  const answers = await views.ask(names);
  return fragmentsOf((view) => answers.get(view) ?? { items: [], problems: [], known: false });
}

export function fragmentsOf(answerTo: (view: string) => Answer): readonly Fragment[] {
  const rendered = sections.map((section) => ({
    ...section,
    content: contentOf(section, section.views.map(answerTo)),
  }));
  const shown = rendered.flatMap(({ id, title, content }) =>
    content === undefined ? [] : [{ id, title, ...content }],
  );
  const links = shown.map(
    ({ id, title, count }) =>
      html`<li>
        <a id="to-${id}" href="#${id}"
          >${title}${count === undefined ? html`` : html` <span class="count">${count}</span>`}</a
        >
      </li>`,
  );
  return [
    fragment('verdict', verdictOf(answerTo('services').items as readonly ServiceState[])),
    fragment(
      'contents',
      html`<ul>
        ${links}
      </ul>`,
    ),
    ...rendered.map(({ id, title, content }) =>
      content === undefined
        ? { id, html: '', hidden: true }
        : fragment(
            id,
            html`<h2 id="title-${id}">${title}${countOf(content.count)}</h2>
              ${content.body}`,
          ),
    ),
  ];
}

/** An agent of another version may answer what this one does not expect; that ends nothing. */
function contentOf(section: Section, answers: readonly Answer[]): SectionContent | undefined {
  try {
    return section.render(answers);
  } catch (error) {
    return { body: problems([`This section cannot be shown: ${messageOf(error)}`]) };
  }
}

function countOf(count: number | undefined): Html {
  return count === undefined || count === 0 ? html`` : html` <span class="count">${count}</span>`;
}

function fragment(id: string, content: Html): Fragment {
  return { id, html: content.text, hidden: false };
}

function verdictOf(services: readonly ServiceState[]): Html {
  const unwell = services.filter(({ reason }) => reason !== undefined).map(({ name }) => name);
  if (services.length === 0) return mark('bad', 'nothing runs');
  return unwell.length === 0 ? mark('good', 'all services are ready') : mark('bad', `not ready: ${unwell.join(', ')}`);
}
