/** The pools, of storage and of addresses: how full each is, and what holds its room. */
import type { AddressPoolView } from '../../../cni/views.ts';
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from '../../../csi/views.ts';
import { html, nothing } from '../html.ts';
import type { Html } from '../html.ts';
import { bar, bytes, code, empty, legend, mark, problems } from '../parts.ts';
import type { Section } from '../section.ts';
import { holdersOf } from './roomholders.ts';

export const poolsSection: Section = {
  id: 'pools',
  title: 'Pools',
  views: ['pools', 'volumes', 'snapshots', 'trash'],
  render: ([pools, volumes, snapshots, trash]) => {
    if (pools?.known !== true) return undefined;
    const items = pools.items as readonly (AddressPoolView | StoragePoolView)[];
    if (items.length === 0)
      return {
        body: html`${problems(pools.problems)}${empty(
          html`There is no pool yet: the network has not started, and <code>storage.pools</code> in the NodeConfig names
            none. <a href="#services">Services</a> says why.`,
        )}`,
      };
    const held = {
      volumes: (volumes?.items ?? []) as readonly VolumeView[],
      snapshots: (snapshots?.items ?? []) as readonly SnapshotView[],
      trash: (trash?.items ?? []) as readonly TrashView[],
    };
    const cards = items.map((pool) => (pool.kind === 'storage' ? storageCard(pool, held) : addressCard(pool)));
    return {
      count: items.length,
      body: html`${problems(pools.problems)}
        <ul class="cards wide">
          ${cards}
        </ul>`,
    };
  },
};

function addressCard({ range, size, used, free, cooling }: AddressPoolView): Html {
  const fresh = free - cooling;
  return html`<li class="card">
    <h3>${code(range)} <span class="note">addresses</span></h3>
    ${bar(size, [
      { kind: 'held', value: used },
      { kind: 'cooling', value: cooling },
    ])}
    <ul class="legend">
      ${legend('held', `${count(used)} of ${count(size)} used`)}
      ${cooling === 0 ? nothing : legend('cooling', `${count(cooling)} given back a moment ago`)}
      ${legend('free', `${count(fresh)} free`)}
    </ul>
    ${free === 0 ? html`<p>${mark('bad', 'No address is left: the next pod waits until one has gone.')}</p>` : nothing}
  </li>`;
}

interface Held {
  readonly volumes: readonly VolumeView[];
  readonly snapshots: readonly SnapshotView[];
  readonly trash: readonly TrashView[];
}

function storageCard(pool: StoragePoolView, held: Held): Html {
  const { name, engine, path, size, reason } = pool;
  return html`<li class="card${reason === '' ? '' : ' unwell'}">
    <h3>${code(name)} <span class="note">${engine === '' ? 'storage' : `storage, ${engine}`}</span></h3>
    ${size === null ? nothing : roomOf(pool, size)} ${reason === '' ? nothing : html`<p>${mark('bad', reason)}</p>`}
    <p class="note">${path}</p>
    ${holdersOf(name, held)}
  </li>`;
}

/** Its room: what is promised to volumes and snapshots, what lies in the trash, and what is left for new volumes. */
function roomOf({ reserved, trash, available, free }: StoragePoolView, size: number): Html {
  const [promised, deleted, left] = [reserved ?? 0, trash ?? 0, available ?? free ?? 0];
  const whole = promised + deleted + left;
  return html`${bar(whole, [
      { kind: 'held', value: promised },
      { kind: 'trash', value: deleted },
    ])}
    <ul class="legend">
      ${legend('held', `${bytes(promised)} of ${bytes(whole)} promised`)}
      ${deleted === 0 ? nothing : legend('trash', `${bytes(deleted)} in the trash`)}
      ${legend('free', `${bytes(left)} for new volumes`)}
    </ul>
    <p class="note">on a filesystem of ${bytes(size)}, of which ${bytes(free)} are free</p>`;
}

/** An IPv6 range has millions. */
function count(addresses: number): string {
  return addresses.toLocaleString('en');
}
