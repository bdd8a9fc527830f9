/* Keeps the page as the node is: puts in what the agent sends, and leaves focus, open parts and scrolling as they are. */
'use strict';

(() => {
  const live = document.getElementById('live');
  let state = document.body.dataset.state;

  function say(text) {
    if (live.textContent !== text) live.textContent = text;
  }

  function replace({ id, html, hidden }) {
    const element = document.getElementById(id);
    if (element === null) return;
    const focused = element.contains(document.activeElement) ? document.activeElement.id : '';
    const open = new Set([...element.querySelectorAll('details[open]')].map((details) => details.id));
    element.innerHTML = html;
    element.hidden = hidden;
    for (const details of element.querySelectorAll('details')) details.open = open.has(details.id);
    if (focused !== '') document.getElementById(focused)?.focus({ preventScroll: true });
  }

  /* The section with the focus, else the first that begins on the screen, else the one that fills it. */
  function sectionBeingRead() {
    const onScreen = [...document.querySelectorAll('section')].filter((section) => {
      const { top, bottom } = section.getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    });
    const focused = onScreen.find((section) => section.contains(document.activeElement));
    return focused ?? onScreen.find((section) => section.getBoundingClientRect().top >= 0) ?? onScreen[0];
  }

  function follow() {
    const events = new EventSource(`events?since=${state}`);
    events.addEventListener('open', () => say('It is kept up to date.'));
    events.addEventListener('parts', (event) => {
      state = event.lastEventId;
      const read = sectionBeingRead();
      const before = read?.getBoundingClientRect().top;
      JSON.parse(event.data).forEach(replace);
      // What lies above may be longer now; what is being read stays where it is.
      const moved = read === undefined ? 0 : read.getBoundingClientRect().top - before;
      if (moved !== 0) window.scrollBy({ top: moved, behavior: 'instant' });
    });
    events.addEventListener('error', () => {
      say('No news comes: the agent does not answer, or has a new key (run berth page again). It is tried again.');
      // The browser tries again by itself unless it was refused.
      if (events.readyState !== EventSource.CLOSED) return;
      setTimeout(follow, 5000);
    });
  }

  follow();
})();
