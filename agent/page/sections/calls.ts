/** The last calls of the kubelet, the runtime and the sidecars, from all plugins, the newest first. */
import type { VolumeView } from '../../../csi/views.ts';
import type { RecentCall } from '../../../kit/recentcalls.ts';
import { html, nothing } from '../html.ts';
import type { Html } from '../html.ts';
import { code, empty, mark, problems, timeText } from '../parts.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

const most = 40;

export const callsSection: Section = {
  id: 'calls',
  title: 'Recent calls',
  views: ['calls', 'volumes'],
  render: ([answer, volumes]) => {
    const calls = (answer?.items ?? []) as readonly RecentCall[];
    const missing = problems(answer?.problems ?? []);
    if (calls.length === 0)
      return {
        body: html`${missing}${empty(
          html`Nobody has called yet. Start a pod on this node and its calls appear here: ADD for its network, Allocate
          for its devices, NodePublishVolume for its volumes.`,
        )}`,
      };
    const newest = [...calls].sort((a, b) => b.at.localeCompare(a.at)).slice(0, most);
    const claims = new Map((volumes?.items as readonly VolumeView[] | undefined)?.map(({ id, claim }) => [id, claim]));
    const rows = newest.map(({ method, subject, code: answered, ms, at, times }) => [
      html`${timeText(at, true)}`,
      html`${code(method)}${times === 1 ? html`` : html` <span class="note">${times} times</span>`}`,
      html`${code(subject)}${noteOf(claims.get(subject))}`,
      answered === 'OK' ? mark('good', answered) : mark('bad', answered),
      html`<span class="figure">${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms</span>`,
    ]);
    const headings = ['Ended (UTC)', 'Call', 'About', 'Answer', 'Took'];
    const caption = 'Calls that came last';
    return { body: html`${missing}${table({ caption, headings, rows, command: '' })}` };
  },
};

/** Whose volume it is: an ID says nothing to people. */
function noteOf(claim = ''): Html {
  return claim === '' ? nothing : html` <span class="note">${claim}</span>`;
}
