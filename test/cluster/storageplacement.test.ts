// Where a volume is made: on a node with room for it, or nowhere, and then Kubernetes says why.
import { expect, test } from 'vitest';
import { listPods } from '../../scripts/kubectl.ts';
import { busybox, claimManifest, eventually, stay, useScene } from './scene.ts';

const scene = useScene('storageplacement');
const { cluster } = scene;

test('of a StatefulSet whose claims take most of a pool each node has one; the one for which there is no node waits with the reason', async () => {
  const labels = { app: 'spread' };
  await scene.apply({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'spread' },
    spec: {
      serviceName: 'spread',
      replicas: cluster.nodes.length + 1,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            { name: 'main', image: busybox, command: stay, volumeMounts: [{ name: 'data', mountPath: '/data' }] },
          ],
        },
      },
      // More than half of a pool, so that each node has room for one; less what other tests may have left for the trash.
      volumeClaimTemplates: [claimManifest('data', 'berth-xfs', '6Gi')],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
    },
  });
  const placed = await eventually('a pod on every node', 90, async () => {
    const pods = (await listPods(cluster, scene.namespace)).filter(({ status }) => status.phase === 'Running');
    return pods.length === cluster.nodes.length ? pods : undefined;
  });
  expect(placed.map(({ spec }) => spec.nodeName).toSorted()).toEqual(cluster.nodes.map(({ name }) => name).toSorted());
  const running = placed.map(({ metadata }) => metadata.name);
  const waiting = (await listPods(cluster, scene.namespace)).find(({ metadata }) => !running.includes(metadata.name));
  const name = waiting?.metadata.name ?? '';
  expect(await scene.event('Pod', name, /enough free storage/)).toMatch(/3 node\(s\) did not have enough free storage/);
});
