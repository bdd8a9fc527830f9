import { expect, test } from 'vitest';
import type { SnapshotRecord } from '../../../csi/snapshot.ts';
import type { VolumeRecord } from '../../../csi/volume.ts';
import type { PoolState, RecordState } from './pool.ts';
import { snapshotViolations, storageViolations, volumeViolations } from './storage.ts';
import type { NodeStorage } from './storage.ts';

const MiB = 1_048_576;
const stage = '/var/lib/kubelet/plugins/kubernetes.io/csi/csi.berth.dev/x/globalmount';
const idOf = (letter: string, name: string, pool = '0a1b2c3d'): string =>
  `${letter}1-${pool}-${name.padStart(26, '0')}`;
const [v1, v2, v9] = [idOf('v', '1'), idOf('v', '2'), idOf('v', '9')];
const [s1, s2, s9, g1] = [idOf('s', '1'), idOf('s', '2'), idOf('s', '9'), idOf('g', '1')];
const common = { state: 'ready', use: { kind: 'block' }, createdAt: '2026-01-01T00:00:00.000Z' } as const;

function volume(id: string, bytes: number, more: Partial<VolumeRecord> = {}): RecordState {
  const own = { provisioning: 'thick', parameters: {}, mutable: {}, family: id } as const;
  return {
    file: `${id}.json`,
    record: { kind: 'volume', record: { ...common, ...own, id, name: id, bytes: BigInt(bytes), ...more } },
  };
}

function snapshot(id: string, more: Partial<SnapshotRecord> = {}): RecordState {
  const own = { sourceId: v2, family: v2, reserved: true, bytes: BigInt(MiB) };
  return { file: `${id}.json`, record: { kind: 'snapshot', record: { ...common, ...own, id, name: id, ...more } } };
}

const group: RecordState = {
  file: `${g1}.json`,
  record: {
    kind: 'group',
    record: { id: g1, name: 'g', state: 'ready', sourceIds: [v2], snapshotIds: [s2], createdAt: common.createdAt },
  },
};
const image = { file: `${v1}.img`, bytes: 64 * MiB, allocated: 65 * MiB };
const taken = { file: `${s1}.img`, bytes: MiB, allocated: 0 };

const sound: PoolState = {
  name: 'fast',
  id: '0a1b2c3d',
  engine: 'image',
  device: '/dev/sdb',
  overcommit: 1,
  keepsTrash: false,
  records: [volume(v1, 64 * MiB), volume(v2, MiB), snapshot(s1), snapshot(s2, { groupId: g1 }), group],
  images: [image, { file: `${v2}.img`, bytes: MiB, allocated: MiB }],
  snapshots: [taken, { ...taken, file: `${s2}.img` }],
  trash: [],
  loops: [{ device: '/dev/loop0', image: `${v1}.img` }],
  uses: [{ id: v1, paths: [stage] }],
  size: 100 * MiB,
  reserved: 67 * MiB,
};
/** Another pool of the node, of another engine, in which everything is in order too. */
const subvolumes: PoolState = {
  ...sound,
  name: 'subvolumes',
  id: '11111111',
  engine: 'subvolume',
  device: '/dev/loop9',
  keepsTrash: true,
  records: [volume(idOf('v', '1', '11111111'), MiB)],
  images: [{ file: idOf('v', '1', '11111111'), bytes: 0, allocated: 0 }],
  snapshots: [],
  trash: [`${idOf('v', '2', '11111111')}.json`, idOf('v', '2', '11111111')],
  loops: [],
  uses: [{ id: idOf('v', '1', '11111111'), paths: ['/p/sub/mount'] }],
  reserved: MiB,
};
const node: NodeStorage = {
  name: 'node-1',
  pools: [subvolumes, sound],
  mounts: [
    { path: stage, source: '/dev/loop0' },
    { path: '/p/sub/mount', source: '/dev/loop9' },
  ],
};
const handles = [v1, v2, idOf('v', '1', '11111111')];

test('sound pools have no violation', () => {
  expect(storageViolations(node)).toEqual([]);
  expect(volumeViolations([node], handles)).toEqual([]);
  expect(snapshotViolations([node], [s1, s2])).toEqual([]);
});

const without = (file: string): readonly RecordState[] =>
  sound.records.filter((record) => record.file !== `${file}.json`);
const instead = (record: RecordState): readonly RecordState[] => [
  ...sound.records.filter(({ file }) => file !== record.file),
  record,
];

const planted: readonly (readonly [title: string, change: Partial<PoolState>, says: RegExp])[] = [
  ['no identity', { id: undefined }, /no pool\.json/],
  ['a file that is no record', { records: [...sound.records, { file: 'x', record: undefined }] }, /x is no record/],
  [
    'a record under another name',
    { records: [...sound.records, { ...volume(v1, 64 * MiB), file: 'copy.json' }] },
    /copy\.json has the/,
  ],
  [
    'a record of another pool',
    { records: [...sound.records, volume(idOf('v', '1', 'ffffffff'), MiB)] },
    /volume v1-ffffffff-\S+ is of another pool than 0a1b2c3d/,
  ],
  [
    'a volume that was never finished',
    { records: instead(volume(v1, 64 * MiB, { state: 'creating' })) },
    /volume \S+ is creating/,
  ],
  [
    'a snapshot that is half deleted',
    { records: instead(snapshot(s1, { state: 'deleting' })) },
    /snapshot \S+ is deleting/,
  ],
  [
    'a group that was never finished',
    {
      records: instead({
        ...group,
        record: {
          kind: 'group',
          record: { id: g1, name: 'g', state: 'creating', sourceIds: [], snapshotIds: [s2], createdAt: '' },
        },
      }),
    },
    /group \S+ is creating/,
  ],
  ['a record without an image', { images: sound.images.slice(1) }, new RegExp(`record ${v1} has no image`)],
  [
    'an image without a record',
    { images: [...sound.images, { ...image, file: `${v9}.img` }] },
    new RegExp(`image ${v9} has no record`),
  ],
  ['a snapshot without its bytes', { snapshots: sound.snapshots.slice(1) }, new RegExp(`record ${s1} has no snapshot`)],
  [
    'bytes of a snapshot without a record',
    { snapshots: [...sound.snapshots, { ...taken, file: `${s9}.img` }] },
    new RegExp(`snapshot ${s9} has no record`),
  ],
  [
    'a snapshot of another size',
    { snapshots: [{ ...taken, bytes: 1 }, ...sound.snapshots.slice(1)] },
    /the snapshot of \S+ has 1 bytes/,
  ],
  [
    'an image that lost its blocks',
    { images: [{ ...image, allocated: 0 }, ...sound.images.slice(1)] },
    /, 0 allocated/,
  ],
  ['an image of another size', { images: [{ ...image, bytes: 1 }, ...sound.images.slice(1)] }, /has 1 bytes/],
  [
    'a group without one of its members',
    { records: without(s2), snapshots: [taken] },
    new RegExp(`group member ${s2} of ${g1} has no snapshot`),
  ],
  ['a member whose group is gone', { records: without(g1) }, new RegExp(`snapshot ${s2} of ${g1} has no group member`)],
  [
    'a snapshot that says it is of a group',
    { records: instead(snapshot(s1, { groupId: g1 })) },
    new RegExp(`snapshot ${s1} of ${g1} has no group`),
  ],
  ['something in the trash', { trash: [`${v9}.img`] }, /\.img lies in the trash/],
  ['trash that nobody can bring back', { keepsTrash: true, trash: [`${v9}.img`] }, /trashed \S+ has no trash record/],
  ['a trash record without bytes', { keepsTrash: true, trash: [`${v9}.json`] }, /trash record \S+ has no trashed/],
  ['more promised than there is', { size: 64 * MiB }, /bytes are reserved in a pool of/],
  ['a reservation leaked in memory', { reserved: 68 * MiB }, /the agent counts/],
  ['an agent that does not answer', { reserved: undefined }, /does not say how much/],
  [
    'two loop devices of one image',
    { loops: [...sound.loops, { device: '/dev/loop1', image: `${v1}.img` }] },
    /two loop/,
  ],
  [
    'a loop device nobody uses',
    { loops: [...sound.loops, { device: '/dev/loop1', image: `${v2}.img` }] },
    /loop device \S+\.img has no/,
  ],
  ['a use without a loop device', { loops: [] }, /volume in use \S+\.img has no loop device/],
  [
    'a use of what is no volume',
    { uses: [...sound.uses, { id: v9, paths: [] }] },
    /volume \S+ is in use and has no record/,
  ],
];

test.each(planted)('finds %s, in a pool that is not the first', (_title, change, says) => {
  const sentences = storageViolations({ ...node, pools: [subvolumes, { ...sound, ...change }] });
  expect(sentences.join('\n')).toMatch(says);
  expect(sentences.filter((sentence) => sentence.startsWith('pool subvolumes'))).toEqual([]);
});

test.each([
  ['a use without its mount', node.mounts.slice(1), /use at .*globalmount has no mount/],
  ['a mount nobody uses', [...node.mounts, { path: '/p/mount', source: '/dev/loop0' }], /mount \/p\/mount has no/],
  [
    'a mount of somebody else’s device',
    [{ path: stage, source: '/dev/loop7' }, ...node.mounts.slice(1)],
    /of \/dev\/loop7, which has no image/,
  ],
])('finds %s', (_title, mounts, says) => {
  expect(storageViolations({ ...node, mounts }).join('\n')).toMatch(says);
});

test('finds volumes and snapshots that the API does not know, and the reverse', () => {
  expect(volumeViolations([node], [...handles.slice(1), v9])).toEqual([
    `persistent volume ${v9} has no image`,
    `image ${v1} has no persistent volume`,
  ]);
  expect(snapshotViolations([node], [s2, s9])).toEqual([
    `snapshot content ${s9} has no snapshot`,
    `snapshot ${s1} has no snapshot content`,
  ]);
});
