// How fast a volume may be used: a claim names a VolumeAttributesClass.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storagelimits');
const { cluster } = scene;
const MiB = 1_048_576;
const at = (claim: string): PodVolume => ({ name: 'data', source: fromClaim(claim), path: '/data' });
const limited = (volumeAttributesClassName: string): object => ({ volumeAttributesClassName });

const attributesClass = (name: string, parameters: Readonly<Record<string, string>>): object => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttributesClass',
  metadata: { name },
  driverName: 'csi.berth.dev',
  parameters,
});
const classes = ['berth-test-slow', 'berth-test-slower', 'berth-test-wrong'];

/** The kernel's limits for writing, in bytes per second, of every device in the cgroups of a pod. */
async function writeLimits(node: ClusterNode, podUid: string): Promise<readonly number[]> {
  const folders = `find /sys/fs/cgroup -type d -path '*${podUid}*' -o -type d -path '*${podUid.replaceAll('-', '_')}*'`;
  const read = `${folders} | while read d; do cat $d/blkio.throttle.write_bps_device $d/io.max 2>/dev/null; done; true`;
  const { stdout } = await node.exec(['sh', '-c', read]);
  const found = stdout.split('\n').flatMap((line) => /^\d+:\d+ (?:.*wbps=)?(\d+)/.exec(line)?.[1] ?? []);
  return [...new Set(found.map(Number))];
}

/** The node whose csi-resizer has been chosen: it has no mode for nodes, and changes what is on its own only. */
async function chosenNode(): Promise<ClusterNode> {
  const lease = [
    'get',
    'lease',
    'external-resizer-csi-berth-dev',
    '-n',
    'berth-system',
    '-o',
    'jsonpath={.spec.holderIdentity}',
  ];
  const holder = await kubectl(cluster, lease);
  return cluster.nodes.find(({ name }) => name === holder) ?? cluster.nodes[0]!;
}

beforeAll(async () => {
  await scene.apply(
    attributesClass('berth-test-slow', { 'bps.write': '20Mi', 'iops.read': '500' }),
    attributesClass('berth-test-slower', { 'bps.write': '10Mi' }),
    attributesClass('berth-test-wrong', { 'bps.writes': '10Mi' }),
  );
});
// They stay for as long as claims name them.
afterAll(() => kubectl(cluster, ['delete', 'volumeattributesclass', ...classes, '--wait=false']));

test('a claim’s limits are those of its pods, and another class changes them while they run', async () => {
  const node = await chosenNode();
  await scene.apply(
    claimManifest('slow', 'berth-ext4', '64Mi', limited('berth-test-slow')),
    volumePod('slow', [at('slow')], { node: node.name }),
    claimManifest('free', 'berth-ext4', '64Mi'),
    volumePod('free', [at('free')], { node: node.name }),
  );
  const [slow, free] = await Promise.all(['slow', 'free'].map((name) => scene.ready(name)));
  expect(await writeLimits(node, slow!.metadata.uid)).toEqual([20 * MiB]);
  expect(await writeLimits(node, free!.metadata.uid)).toEqual([]);

  const spec = limited('berth-test-slower');
  await kubectl(cluster, ['patch', 'pvc', 'slow', '-n', scene.namespace, '-p', JSON.stringify({ spec })]);
  await eventually('the limit to be the other one', 60, async () => {
    const limits = await writeLimits(node, slow!.metadata.uid);
    return limits.length === 1 && limits[0] === 10 * MiB ? true : undefined;
  });
  expect((await scene.inside('slow', 'echo works > /data/file && sync && cat /data/file')).text).toBe('works');
});

test('a class with a mistake makes no volume, and the claim says which it is', async () => {
  await scene.apply(
    claimManifest('wrong', 'berth-ext4', '64Mi', limited('berth-test-wrong')),
    volumePod('wrong', [at('wrong')]),
  );
  const told = await scene.event('PersistentVolumeClaim', 'wrong', /bps\.writes/);
  expect(told).toContain('did you mean "bps.write"?');
});
