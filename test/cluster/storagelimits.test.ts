/** I/O limits in real pods: the class of a claim slows its pod from its first moment on, also a container that starts again. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { restartContainer } from './containers.ts';
import { claimManifest, podManifest, useScene } from './scene.ts';

const scene = useScene('storage-limits');
const { cluster } = scene;
const MiB = 1024 * 1024;
const className = 'storage-limits-slow';

beforeAll(async () => {
  await scene.apply({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttributesClass',
    metadata: { name: className },
    driverName: 'csi.berth.dev',
    parameters: { 'bps.read': '10Mi', 'bps.write': '10Mi' },
  });
});
afterAll(async () => {
  // It goes when its last claim has gone, with the namespace, which is removed after this.
  await kubectl(cluster, ['delete', 'volumeattributesclass', className, '--wait=false']);
});

/** Bytes a second of a shell line in the pod that moves so many. */
async function rateOf(pod: string, bytes: number, line: string): Promise<number> {
  const began = performance.now();
  expect(await scene.inside(pod, line)).toMatchObject({ code: 0 });
  return (bytes / (performance.now() - began)) * 1000;
}

test('a pod reads and writes its volume as fast as its class says', async () => {
  const claim = claimManifest('slow', 'berth-ext4', '128Mi') as { spec: object };
  const limited = { ...claim, spec: { ...claim.spec, volumeAttributesClassName: className } };
  await scene.apply(limited, podManifest('slow', { claims: { '/data': 'slow' } }));
  await scene.ready('slow');
  const write = 'dd if=/dev/zero of=/data/file bs=1M count=30 oflag=direct';
  const read = 'dd if=/data/file of=/dev/null bs=1M iflag=direct';
  // Twice the limit: a part of a second goes through at once, and starting a program in a pod takes its time, too.
  expect(await rateOf('slow', 30 * MiB, write)).toBeLessThan(20 * MiB);
  expect(await rateOf('slow', 30 * MiB, read)).toBeLessThan(20 * MiB);
  await restartContainer(scene, 'slow', 'main');
  expect(await rateOf('slow', 30 * MiB, write)).toBeLessThan(20 * MiB);
});
