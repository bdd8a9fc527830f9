/** What holds the room of a storage pool, the largest first. */
import type { SnapshotView, TrashView, VolumeView } from '../../../csi/views.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { bar, bytes, code } from '../parts.ts';
import type { Share } from '../parts.ts';

interface Holder {
  readonly kind: Share['kind'];
  readonly name: string;
  readonly what: string;
  readonly size: number;
}

const most = 20;

export function holdersOf(
  pool: string,
  held: {
    readonly volumes: readonly VolumeView[];
    readonly snapshots: readonly SnapshotView[];
    readonly trash: readonly TrashView[];
  },
): Html {
  const holders: readonly Holder[] = [
    ...held.volumes
      .filter((volume) => volume.pool === pool)
      .map(({ claim, id, size, type }): Holder => ({
        kind: 'held',
        name: claim === '' ? id : claim,
        what: type,
        size,
      })),
    ...held.snapshots
      .filter((snapshot) => snapshot.pool === pool)
      .map(({ claim, id, size, allocated, reserved }): Holder => ({
        kind: 'held',
        name: id,
        what: claim === '' ? 'snapshot' : `snapshot of ${claim}`,
        size: reserved ? size : (allocated ?? 0),
      })),
    ...held.trash
      .filter((deleted) => deleted.pool === pool)
      .map(({ claim, id, size }): Holder => ({
        kind: 'trash',
        name: claim === '' ? id : claim,
        what: 'deleted; berth undelete brings it back',
        size,
      })),
  ].sort((a, b) => b.size - a.size);
  const [largest] = holders;
  if (largest === undefined) return html`<p class="note">No volume lies in it yet.</p>`;
  const more = holders.length - most;
  return html`<details id="room-of-${encodeURIComponent(pool)}">
    <summary id="open-room-of-${encodeURIComponent(pool)}">
      What holds its room <span class="note">${holders.length}</span>
    </summary>
    <ul class="holders">
      ${holders.slice(0, most).map(
        ({ kind, name, what, size }) =>
          html`<li>
            <span>${code(name)} <span class="note">${what}</span></span
            ><span class="figure">${bytes(size)}</span>${bar(largest.size, [{ kind, value: size }])}
          </li>`,
      )}
    </ul>
    ${more > 0 ? html`<p class="note">${more} more: <code>berth get volumes</code></p>` : html``}
  </details>`;
}
