// What becomes of a volume when its claim is deleted.
import { expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, useScene } from './scene.ts';
import { fromClaim, tracesOf, useClass, volumeGone, volumeOf, volumePod } from './volumes.ts';

const scene = useScene('storagereclaim');
const { cluster } = scene;
const retaining = useClass(scene, 'berth-test-retain', { reclaimPolicy: 'Retain' });
const node = cluster.nodes[1]!;
const at = (claim: string) => ({ name: 'data', source: fromClaim(claim), path: '/data' });
const pod = (name: string, claim: string) => volumePod(name, [at(claim)], { node: node.name });

test('with Delete nothing of it is left on the node', async () => {
  await scene.apply(claimManifest('gone', 'berth-ext4', '64Mi'), pod('one', 'gone'));
  await scene.ready('one');
  const volume = await volumeOf(scene, 'gone');
  expect((await tracesOf(node, volume.handle)).length).toBeGreaterThan(0);
  // The claim is deleted first, and waits for its pod.
  await kubectl(cluster, ['delete', 'pvc', 'gone', '-n', scene.namespace, '--wait=false']);
  expect((await scene.inside('one', 'echo works > /data/file && cat /data/file')).text).toBe('works');
  await scene.remove('pod', 'one');
  await volumeGone(scene, volume);
});

test('with Retain it stays with its bytes, and a new claim can be given it', async () => {
  await scene.apply(claimManifest('kept', retaining, '300Mi'), pod('two', 'kept'));
  await scene.ready('two');
  await scene.inside('two', 'echo kept > /data/file && sync');
  const volume = await volumeOf(scene, 'kept');
  await scene.remove('pod', 'two');
  await scene.remove('pvc', 'kept');
  await eventually('the volume to be released', 30, async () => {
    const phase = await kubectl(cluster, ['get', 'pv', volume.name, '-o', 'jsonpath={.status.phase}']);
    return phase === 'Released' ? true : undefined;
  });
  expect((await tracesOf(node, volume.handle)).length).toBeGreaterThan(0);

  const patch = (spec: object) =>
    kubectl(cluster, ['patch', 'pv', volume.name, '--type=merge', '-p', JSON.stringify({ spec })]);
  await patch({ claimRef: null });
  await scene.apply(claimManifest('again', retaining, '300Mi', { volumeName: volume.name }), pod('three', 'again'));
  await scene.ready('three');
  expect((await scene.inside('three', 'cat /data/file')).text).toBe('kept');

  await patch({ persistentVolumeReclaimPolicy: 'Delete' });
  await scene.remove('pod', 'three');
  await scene.remove('pvc', 'again');
  await volumeGone(scene, volume);
});
