/** The tables of storage: pools, volumes, snapshots, trash. */
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from '../../csi/views.ts';
import { ageText, orNone, sizeText } from './cells.ts';
import type { Sheet, Table, TableOptions } from './cells.ts';
import type { storedKinds } from './choices.ts';
import { harmless } from './harmless.ts';

/** Names are what somebody called a claim or wrote into a record on disk. */
function sheet(headings: readonly string[], rows: readonly (readonly string[])[]): Sheet {
  return { headings, rows: rows.map((row) => row.map((cell) => harmless(orNone(cell)))) };
}

export function storagePoolSheet(pools: readonly StoragePoolView[], { wide }: TableOptions): Sheet {
  return sheet(
    [
      ...['POOL', 'ENGINE', 'SIZE', 'FREE', 'RESERVED', 'AVAILABLE', 'TRASH', 'VOLUMES', 'SNAPSHOTS'],
      ...(wide ? ['ID', 'PATH'] : []),
      'REASON',
    ],
    pools.map(({ name, engine, size, free, reserved, available, trash, volumes, snapshots, id, path, reason }) => [
      name,
      engine,
      ...[size, free, reserved, available, trash].map(sizeText),
      ...[volumes, snapshots].map(String),
      ...(wide ? [id, path] : []),
      reason,
    ]),
  );
}

export const storageTables: Readonly<Record<(typeof storedKinds)[number], Table>> = {
  volumes: (items, { wide, now }) => [
    sheet(
      [
        ...['ID', 'CLAIM', 'POOL', 'TYPE', 'SIZE', 'USED', 'PROVISIONING', 'STATE', 'HEALTH', 'PODS', 'SOURCE', 'AGE'],
        ...(wide ? ['NAME', 'ALLOCATED', 'PUBLISHED'] : []),
      ],
      (items as readonly VolumeView[]).map((item) => [
        item.id,
        item.claim,
        item.pool,
        item.type,
        sizeText(item.size),
        item.used === null ? '' : sizeText(item.used),
        item.provisioning,
        stateOf(item),
        item.reasons === null ? '<unknown>' : item.reasons.length === 0 ? 'ok' : item.reasons.join(','),
        item.published.map(({ pod }) => (pod === '' ? 'elsewhere' : pod)).join(','),
        item.source,
        ageText(now - Date.parse(item.createdAt)),
        ...(wide ? [item.name, sizeText(item.allocated), item.published.map(({ path }) => path).join(',')] : []),
      ]),
    ),
  ],
  snapshots: (items, { wide, now }) => [
    sheet(
      [
        ...['ID', 'SOURCE', 'CLAIM', 'POOL', 'TYPE', 'SIZE', 'RESERVED', 'GROUP', 'STATE', 'AGE'],
        ...(wide ? ['NAME', 'ALLOCATED'] : []),
      ],
      (items as readonly SnapshotView[]).map((item) => [
        item.id,
        item.source,
        item.claim,
        item.pool,
        item.type,
        sizeText(item.size),
        item.reserved ? 'full' : 'none',
        item.group,
        item.state,
        ageText(now - Date.parse(item.createdAt)),
        ...(wide ? [item.name, sizeText(item.allocated)] : []),
      ]),
    ),
  ],
  trash: (items, { wide, now }) => [
    sheet(
      ['ID', 'KIND', 'CLAIM', 'POOL', 'TYPE', 'SIZE', 'DELETED', 'LEFT', ...(wide ? ['NAME'] : []), 'REASON'],
      (items as readonly TrashView[]).map((item) => [
        item.id,
        item.kind,
        item.claim,
        item.pool,
        item.type,
        item.type === '' ? '' : sizeText(item.size),
        item.deletedAt === '' ? '' : `${ageText(now - Date.parse(item.deletedAt))} ago`,
        item.expiresAt === '' ? '' : ageText(Date.parse(item.expiresAt) - now),
        ...(wide ? [item.name] : []),
        item.reason,
      ]),
    ),
  ],
};

/** `ready` says nothing of where it is. */
function stateOf({ state, staged, published }: VolumeView): string {
  if (state !== 'ready' || (staged === '' && published.length === 0)) return state;
  return published.length > 0 ? 'published' : 'staged';
}
