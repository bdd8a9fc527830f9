// Pools of other engines: subvolumes of a btrfs, and memory.
import { beforeAll, describe, expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { snapshotManifest, snapshotReady, snapshotRefused } from './snapshots.ts';
import { fromClaim, useClass, volumeGone, volumeOf, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storageengines');
const subvolume = useClass(scene, 'berth-test-subvolume', { parameters: { pool: 'subvolumes' } });
const memory = useClass(scene, 'berth-test-memory', { parameters: { pool: 'memory' } });
const node = 'node-2';
const at = (claim: string): PodVolume => ({ name: 'data', source: fromClaim(claim), path: '/data' });
const typeOf = async (pod: string): Promise<string> =>
  (await scene.inside(pod, 'awk \'$2 == "/data" { print $3 }\' /proc/mounts')).text;

beforeAll(async () => {
  await scene.apply(
    claimManifest('tree', subvolume, '64Mi'),
    claimManifest('memory', memory, '32Mi'),
    volumePod('tree', [at('tree')], { node }),
    volumePod('memory', [at('memory')], { node }),
  );
  await Promise.all(['tree', 'memory'].map((name) => scene.ready(name)));
});

describe('a subvolume', () => {
  test('is full at its size', async () => {
    expect(await typeOf('tree')).toBe('btrfs');
    expect((await scene.inside('tree', 'dd if=/dev/urandom of=/data/filler bs=1M')).text).toMatch(
      /Disk quota exceeded|No space left/,
    );
    expect((await scene.inside('tree', 'rm /data/filler; echo one > /data/file; sync; cat /data/file')).text).toBe(
      'one',
    );
  });

  test('is restored from its snapshot', async () => {
    await scene.apply(snapshotManifest('tree', 'tree'));
    await snapshotReady(scene, 'tree');
    await scene.inside('tree', 'echo two > /data/file; sync');
    const source = { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'tree' } };
    await scene.apply(claimManifest('restored', subvolume, '64Mi', source), volumePod('restored', [at('restored')]));
    await scene.ready('restored');
    expect((await scene.inside('restored', 'cat /data/file')).text).toBe('one');
    await scene.remove('volumesnapshot', 'tree');
  });
});

test('memory is as large as was asked for, keeps its files from pod to pod, and has no snapshots', async () => {
  expect(await typeOf('memory')).toBe('tmpfs');
  expect((await scene.inside('memory', 'dd if=/dev/zero of=/data/filler bs=1M')).text).toContain('No space left');
  await scene.inside('memory', 'rm /data/filler; echo here > /data/file');
  await scene.apply(snapshotManifest('memory', 'memory'));
  expect(await snapshotRefused(scene, 'memory')).toContain('(engine tmpfs) cannot take snapshots');
  await scene.remove('volumesnapshot', 'memory');
  await scene.remove('pod', 'memory');
  await scene.apply(volumePod('memory', [at('memory')]));
  await scene.ready('memory');
  expect((await scene.inside('memory', 'cat /data/file')).text).toBe('here');
});

test.each(['restored', 'tree', 'memory'])('nothing of volume %s is left when it is deleted', async (claim) => {
  const volume = await volumeOf(scene, claim);
  await scene.remove('pod', claim);
  await scene.remove('pvc', claim);
  await volumeGone(scene, volume);
});
