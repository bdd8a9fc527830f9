/** One pool: each record has its bytes, group and room, each file, device and use its record, and the reverse. Pure. */
import { ownerOf } from '../../../csi/objectid.ts';
import { promiseOf } from '../../../csi/promises.ts';
import type { GroupRecord, SnapshotRecord } from '../../../csi/snapshot.ts';
import type { AnyRecord } from '../../../csi/store.ts';
import type { EngineKind, VolumeRecord } from '../../../csi/volume.ts';
import { differences, repeated } from './compare.ts';

export interface RecordState {
  readonly file: string;
  /** Undefined when the file is no record. */
  readonly record: AnyRecord | undefined;
}

/** A file of bytes: `bytes` as its name says it is long, `allocated` as it has on the disk. */
export interface BytesState {
  readonly file: string;
  readonly bytes: number;
  readonly allocated: number;
}

/** A configured pool on one node. Loop devices belong to the whole machine: those listed are on images of this pool. */
export interface PoolState {
  readonly name: string;
  /** Undefined where there is no readable pool.json. */
  readonly id: string | undefined;
  readonly engine: EngineKind;
  /** What its filesystem is mounted from: subvolumes are shown from there. */
  readonly device: string;
  readonly overcommit: number;
  /** Whether what is deleted stays for a while. */
  readonly keepsTrash: boolean;
  readonly records: readonly RecordState[];
  readonly images: readonly BytesState[];
  readonly snapshots: readonly BytesState[];
  readonly trash: readonly string[];
  readonly loops: readonly { readonly device: string; readonly image: string }[];
  /** What the agent has staged and published of a volume, by its files on tmpfs. */
  readonly uses: readonly { readonly id: string; readonly paths: readonly string[] }[];
  /** Size of the pool's filesystem in bytes. */
  readonly size: number;
  /** What the agent says is promised, in bytes; undefined when it does not answer. */
  readonly reserved: number | undefined;
}

export function poolViolations(pool: PoolState): readonly string[] {
  const all = pool.records.flatMap(({ record }) => record ?? []);
  const volumes = all.flatMap((any) => (any.kind === 'volume' ? any.record : []));
  const snapshots = all.flatMap((any) => (any.kind === 'snapshot' ? any.record : []));
  const groups = all.flatMap((any) => (any.kind === 'group' ? any.record : []));
  return [
    ...recordViolations(pool),
    ...bytesViolations(pool, 'image', volumes, pool.images),
    ...bytesViolations(pool, 'snapshot', snapshots, pool.snapshots),
    ...groupViolations(groups, snapshots),
    ...trashViolations(pool),
    ...promiseViolations(pool, [...volumes, ...snapshots]),
    ...useViolations(
      pool,
      volumes.map(({ id }) => id),
    ),
  ];
}

function recordViolations({ id: pool, records }: PoolState): readonly string[] {
  if (pool === undefined) return ['there is no pool.json that can be read'];
  return records.flatMap(({ file, record }) => {
    if (record === undefined) return [`${file} is no record`];
    const { kind } = record;
    const { id, state } = record.record;
    return [
      ...(file === `${id}.json` ? [] : [`${file} has the record of ${id}`]),
      ...(ownerOf(id) === pool ? [] : [`${kind} ${id} is of another pool than ${pool}`]),
      ...(state === 'ready' ? [] : [`${kind} ${id} is ${state}`]),
    ];
  });
}

function bytesViolations(
  { engine }: PoolState,
  what: 'image' | 'snapshot',
  objects: readonly (VolumeRecord | SnapshotRecord)[],
  files: readonly BytesState[],
): readonly string[] {
  return [
    ...differences(
      'record',
      objects.map(({ id }) => id),
      what,
      files.map(({ file }) => idOf(file)),
    ),
    ...objects.flatMap((object) => {
      const found = files.find(({ file }) => file === `${object.id}.img`);
      // Subvolumes and volumes in memory are folders, whose size says nothing.
      if (found === undefined || engine !== 'image') return [];
      const thick = !('sourceId' in object) && object.provisioning === 'thick';
      if (found.bytes === Number(object.bytes) && (!thick || found.allocated >= Number(object.bytes))) return [];
      return [
        `the ${what} of ${object.id} has ${found.bytes} bytes, ${found.allocated} allocated; its record has ${object.bytes}`,
      ];
    }),
  ];
}

function groupViolations(groups: readonly GroupRecord[], snapshots: readonly SnapshotRecord[]): readonly string[] {
  return differences(
    'group member',
    groups.flatMap(({ id, snapshotIds }) => snapshotIds.map((member) => `${member} of ${id}`)),
    'snapshot',
    snapshots.flatMap(({ id, groupId }) => (groupId === undefined ? [] : `${id} of ${groupId}`)),
  );
}

function trashViolations({ trash, keepsTrash }: PoolState): readonly string[] {
  if (!keepsTrash) return trash.map((file) => `${file} lies in the trash`);
  const [records, bytes] = [
    trash.filter((file) => file.endsWith('.json')),
    trash.filter((file) => !file.endsWith('.json')),
  ];
  return differences('trash record', records.map(idOf), 'trashed', bytes.map(idOf));
}

function promiseViolations(
  { overcommit, reserved, size }: PoolState,
  objects: readonly (VolumeRecord | SnapshotRecord)[],
): readonly string[] {
  const sum = Number(objects.reduce((total, object) => total + promiseOf(object, overcommit), 0n));
  return [
    ...(sum > size ? [`${sum} bytes are reserved in a pool of ${size}`] : []),
    ...(reserved === undefined ? ['the agent does not say how much of the pool is reserved'] : []),
    ...(reserved === undefined || reserved === sum
      ? []
      : [`the agent counts ${reserved} bytes as reserved, records have ${sum}`]),
  ];
}

function useViolations({ engine, uses, loops }: PoolState, ids: readonly string[]): readonly string[] {
  const images = loops.map(({ image }) => image);
  return [
    ...repeated(images).map((image) => `two loop devices have ${image}`),
    ...(engine === 'image'
      ? differences(
          'a volume in use',
          uses.map(({ id }) => `${id}.img`),
          'loop device',
          [...new Set(images)],
        )
      : []),
    ...uses.filter(({ id }) => !ids.includes(id)).map(({ id }) => `volume ${id} is in use and has no record`),
  ];
}

/** What a file of bytes or a record is called after. */
export function idOf(file: string): string {
  return file.replace(/\.(img|json)$/, '');
}
