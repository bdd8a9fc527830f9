import { expect, test } from 'vitest';
import { storageViolations, volumeViolations } from './storage.ts';
import type { NodeStorage } from './storage.ts';

const MiB = 1_048_576;
const stage = '/var/lib/kubelet/plugins/kubernetes.io/csi/csi.berth.dev/x/globalmount';
const record = { file: 'v1.json', volume: { id: 'v1', state: 'ready', bytes: 64 * MiB } };
const image = { file: 'v1.img', bytes: 64 * MiB, allocated: 65 * MiB };

const sound: NodeStorage = {
  name: 'node-1',
  records: [record, { file: 'v2.json', volume: { id: 'v2', state: 'ready', bytes: MiB } }],
  images: [image, { file: 'v2.img', bytes: MiB, allocated: MiB }],
  trash: [],
  loops: [{ device: '/dev/loop0', image: 'v1.img' }],
  uses: [{ id: 'v1', paths: [stage] }],
  mounts: [{ path: stage, source: '/dev/loop0' }],
  size: 100 * MiB,
  reserved: 65 * MiB,
};

test('a sound pool has no violation', () => {
  expect(storageViolations(sound)).toEqual([]);
  expect(volumeViolations([sound], ['v1', 'v2'])).toEqual([]);
});

const planted: readonly (readonly [title: string, change: Partial<NodeStorage>, says: RegExp])[] = [
  ['a file that is no record', { records: [...sound.records, { file: 'x', volume: undefined }] }, /x is no record/],
  [
    'a record under another name',
    { records: [...sound.records, { ...record, file: 'copy.json' }] },
    /copy\.json has the/,
  ],
  [
    'a volume that was never finished',
    { records: [{ ...record, volume: { ...record.volume, state: 'creating' } }, ...sound.records.slice(1)] },
    /volume v1 is creating/,
  ],
  ['a record without an image', { images: sound.images.slice(1) }, /record v1 has no image/],
  ['an image without a record', { images: [...sound.images, { ...image, file: 'v9.img' }] }, /image v9 has no record/],
  ['an image that lost its blocks', { images: [{ ...image, allocated: 0 }, ...sound.images.slice(1)] }, /0 allocated/],
  ['an image of another size', { images: [{ ...image, bytes: 1 }, ...sound.images.slice(1)] }, /has 1 bytes/],
  ['something in the trash', { trash: ['v9.img'] }, /v9\.img lies in the trash/],
  ['more promised than there is', { size: 64 * MiB }, /bytes are reserved in a pool of/],
  ['a reservation leaked in memory', { reserved: 66 * MiB }, /the agent counts/],
  ['an agent that does not answer', { reserved: undefined }, /does not say how much/],
  ['two loop devices of one image', { loops: [...sound.loops, { device: '/dev/loop1', image: 'v1.img' }] }, /two loop/],
  [
    'a loop device nobody uses',
    { loops: [...sound.loops, { device: '/dev/loop1', image: 'v2.img' }] },
    /loop device v2\.img has no/,
  ],
  ['a use without a loop device', { loops: [], mounts: [] }, /volume in use v1\.img has no loop device/],
  [
    'a use of what is no volume',
    { uses: [...sound.uses, { id: 'v9', paths: [] }] },
    /volume v9 is in use and has no record/,
  ],
  ['a use without its mount', { mounts: [] }, /use at .*globalmount has no mount/],
  [
    'a mount nobody uses',
    { mounts: [...sound.mounts, { path: '/p/mount', source: '/dev/loop0' }] },
    /mount \/p\/mount has no/,
  ],
  [
    'a mount of somebody else’s device',
    { mounts: [{ path: stage, source: '/dev/loop7' }] },
    /of \/dev\/loop7, which has no image/,
  ],
];

test.each(planted)('finds %s', (_title, change, says) => {
  expect(storageViolations({ ...sound, ...change }).join('\n')).toMatch(says);
});

test('finds a persistent volume without an image, and the reverse', () => {
  expect(volumeViolations([sound], ['v1', 'v3'])).toEqual([
    'persistent volume v3 has no image',
    'image v2 has no persistent volume',
  ]);
});
