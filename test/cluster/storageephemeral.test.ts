// Volumes that live and die with their pod.
import { expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { parseAllDocuments } from 'yaml';
import { manifestFolder } from '../../scripts/deploy.ts';
import { claimManifest, eventually, useScene } from './scene.ts';
import { manifests } from './setup.ts';
import { volumeGone, volumeOf, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storageephemeral');
const node = scene.cluster.nodes[1]!;
const records = '/var/lib/berth/pools/*/meta/*.json';

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

/** A volume that stands in its pod alone, of a size. */
const inline = (size: string): PodVolume => ({
  name: 'data',
  source: { csi: { driver: 'csi.berth.dev', fsType: 'ext4', volumeAttributes: { size } } },
  path: '/data',
});

test('an inline volume has the size its pod says, and goes with it', async () => {
  await scene.apply(volumePod('inline', [inline('48Mi')], { node: node.name }));
  const { metadata } = await scene.ready('inline');
  const { text } = await scene.inside('inline', "echo here > /data/file; df -m /data | awk 'NR == 2 { print $2 }'");
  expect(Number(text)).toBeGreaterThan(30);
  expect(Number(text)).toBeLessThanOrEqual(48);
  const images = async (): Promise<string> =>
    (await node.exec(['sh', '-c', `grep -l ${metadata.uid} ${records}`])).stdout;
  expect(await images()).not.toBe('');
  await scene.remove('pod', 'inline');
  await eventually('the volume to be gone', 30, async () => ((await images()) === '' ? true : undefined));
});

test('one that is larger than the node allows is refused, and its pod says why', async () => {
  await scene.apply(volumePod('greedy', [inline('1Ti')]));
  expect(await scene.event('Pod', 'greedy', /FailedMount|MountVolume/)).toMatch(/64 MiB/);
  await scene.remove('pod', 'greedy');
});

test('none is allowed where the driver does not say so, as it does not in daemonset/', async () => {
  // What a CSIDriver allows cannot be changed, so one takes the place of the other; the volumes of pods do not notice.
  const replace = async (folder: string): Promise<void> => {
    const objects = parseAllDocuments(await kubectl(scene.cluster, ['kustomize', folder]));
    const driver = objects.map((each) => each.toJS() as { kind: string }).find(({ kind }) => kind === 'CSIDriver');
    await kubectl(scene.cluster, ['replace', '--force', '-f', '-'], { stdin: JSON.stringify(driver) });
  };
  await replace(manifestFolder);
  try {
    await scene.apply(volumePod('refused', [inline('48Mi')]));
    const told = await scene.event('Pod', 'refused', /volume mode/);
    expect(told).toContain('"Ephemeral" not supported by driver csi.berth.dev');
  } finally {
    await replace(manifests);
  }
});
