// Volumes that live and die with their pod.
import { expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, useScene } from './scene.ts';
import { volumeGone, volumeOf, volumePod } from './volumes.ts';

const scene = useScene('storageephemeral');

test('a generic ephemeral volume is a claim of the pod: it goes with it, and nothing is left', async () => {
  const { spec } = claimManifest('', 'berth-ext4', '64Mi') as { spec: object };
  const scratch = { name: 'scratch', source: { ephemeral: { volumeClaimTemplate: { spec } } }, path: '/scratch' };
  await scene.apply(volumePod('pod', [scratch]));
  const { metadata } = await scene.ready('pod');
  expect((await scene.inside('pod', 'echo here > /scratch/file && cat /scratch/file')).text).toBe('here');
  const owner = [
    'get',
    'pvc',
    'pod-scratch',
    '-n',
    scene.namespace,
    '-o',
    'jsonpath={.metadata.ownerReferences[0].uid}',
  ];
  expect(await kubectl(scene.cluster, owner)).toBe(metadata.uid);
  const volume = await volumeOf(scene, 'pod-scratch');
  await scene.remove('pod', 'pod');
  await volumeGone(scene, volume);
});

test('an inline volume is refused, and the pod says why, where nobody has allowed them', async () => {
  const inline = { name: 'data', source: { csi: { driver: 'csi.berth.dev' } }, path: '/data' };
  await scene.apply(volumePod('inline', [inline]));
  expect(await scene.event('Pod', 'inline', /volume mode/)).toContain(
    '"Ephemeral" not supported by driver csi.berth.dev',
  );
});
