import { expect, test } from 'vitest';
import { busybox, claimManifest, eventually, podManifest, stay, useScene } from './scene.ts';

const scene = useScene('manifests');
const { cluster } = scene;

test('pods on both nodes get addresses of their own node and are reached from it', async () => {
  await scene.apply(podManifest('one', { node: 'node-1' }), podManifest('two', { node: 'node-2' }));
  for (const [index, name] of ['one', 'two'].entries()) {
    const { status } = await scene.ready(name);
    expect(status.podIP).toMatch(new RegExp(`^10\\.244\\.\\d+\\.\\d+$`));
    const ping = await cluster.nodes[index]!.exec(['busybox', 'ping', '-c', '1', '-W', '2', status.podIP!]);
    expect(ping.code).toBe(0);
  }
  await scene.remove('pod', 'one', 'two');
});

test('a Job writes to a claim on the second node and a pod that comes later reads it there', async () => {
  const later = podManifest('reader', { claims: { '/data': 'result' } });
  await scene.apply(claimManifest('result', 'berth-xfs', '300Mi'), {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'writer' },
    spec: {
      template: {
        spec: {
          restartPolicy: 'Never',
          nodeSelector: { 'kubernetes.io/hostname': 'node-2' },
          containers: [
            {
              name: 'main',
              image: busybox,
              command: ['sh', '-c', 'echo done > /data/result && sync'],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
          volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'result' } }],
        },
      },
    },
  });
  const done = await cluster.kubectl([
    'wait',
    '-n',
    scene.namespace,
    'job/writer',
    '--for=condition=Complete',
    '--timeout=90s',
  ]);
  expect(done.stderr).toBe('');
  await scene.apply(later);
  expect((await scene.ready('reader')).spec.nodeName).toBe('node-2');
  expect((await scene.inside('reader', 'cat /data/result')).text).toBe('done');
  await scene.remove('job', 'writer');
  await scene.remove('pod', 'reader');
  await scene.remove('pvc', 'result');
});

test('a Deployment shares a counted device: as many pods run as there are units', async () => {
  await scene.apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'fuses' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'fuses' } },
      template: {
        metadata: { labels: { app: 'fuses' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          nodeSelector: { 'kubernetes.io/hostname': 'node-2' },
          containers: [{ name: 'main', image: busybox, command: stay, resources: { limits: { 'berth.dev/fuse': 1 } } }],
        },
      },
    },
  });
  const ready = await eventually('two of three pods', 60, async () => {
    const args = ['get', 'deployment', 'fuses', '-n', scene.namespace, '-o', 'jsonpath={.status.readyReplicas}'];
    const { stdout } = await cluster.kubectl(args);
    return stdout === '2' ? stdout : undefined;
  });
  expect(ready).toBe('2');
  await scene.remove('deployment', 'fuses');
});
