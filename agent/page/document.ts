/** The page as a whole: its frame, and in it the fragments as they are now. */
import { Html, html } from './html.ts';
import type { Fragment } from './sections.ts';

export interface PageFacts {
  readonly node: string;
  /** Of the agent. */
  readonly version: string;
  /** When the agent started, milliseconds since 1970. */
  readonly since: number;
}

/** `state`: the number of the newest change that is in the fragments; what comes after it is asked for by it. */
export function documentOf(facts: PageFacts, fragments: readonly Fragment[], state: number): string {
  const { node, version, since } = facts;
  const within = (id: string): Html => new Html(fragments.find((fragment) => fragment.id === id)?.html ?? '');
  const sections = fragments.filter(({ id }) => id !== 'verdict' && id !== 'contents');
  const started = new Date(since).toISOString();
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${node} – Berth</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="page.css" />
        <script src="page.js" defer></script>
      </head>
      <body data-state="${state}">
        <a class="skip" href="#main">Skip to the services</a>
        <header>
          <div class="wrap">
            <h1>${node}</h1>
            <p id="verdict">${within('verdict')}</p>
            <p class="note facts">
              Berth ${version}, started
              <time datetime="${started}">${started.slice(0, 16).replace('T', ' ')}</time> UTC.
              <span id="live" role="status">This page stays as it is; load it again for news.</span>
            </p>
          </div>
        </header>
        <nav id="contents" aria-label="Sections" class="wrap">${within('contents')}</nav>
        <main id="main" tabindex="-1" class="wrap">${sections.map(sectionOf)}</main>
      </body>
    </html> `.text;
}

function sectionOf({ id, html: content, hidden }: Fragment): Html {
  return html`<section id="${id}" aria-labelledby="title-${id}" ${hidden ? html` hidden` : html``}>
    ${new Html(content)}
  </section> `;
}
